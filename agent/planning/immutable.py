"""What the API server will not change on a live object, known before it is asked. Pure.

Where an object can be made again without loss it is replaced; a StatefulSet is made anew around its running pods; where
data would be lost the change is refused, with what to do instead. The table follows the validation of Kubernetes 1.30
to 1.36 (``ValidateStatefulSetUpdate`` and its like).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from agent.model.objects import Manifest
from agent.model.quantities import amount

_SET_MAY_CHANGE = frozenset(
    {"replicas", "template", "updateStrategy", "minReadySeconds", "persistentVolumeClaimRetentionPolicy", "ordinals"}
)
_JOB_FIXED = ("template", "selector", "completions", "completionMode", "manualSelector", "podFailurePolicy")


class Way(Enum):
    """How a change reaches a live object."""

    IN_PLACE = "in place"
    REPLACE = "replace"
    """Delete it and make it again."""
    REMAKE = "remake"
    """Delete it, leave its pods alone, and make it again around them."""
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Passage:
    """The way for one change. ``growth``: sizes of volume claims by template, which are to grow before."""

    way: Way
    why: str = ""
    growth: Mapping[str, str] = field(default_factory=dict)


IN_PLACE = Passage(Way.IN_PLACE)


def passage(wanted: Manifest, live: Manifest) -> Passage:
    """How ``wanted`` can become of ``live``, an object of the same kind and name."""
    judge = _TABLE.get(wanted["kind"])
    return judge(wanted, live) if judge is not None else IN_PLACE


def _deployment(wanted: Manifest, live: Manifest) -> Passage:
    if _differs(wanted["spec"].get("selector"), live["spec"].get("selector")):
        return Passage(Way.REPLACE, "spec.selector cannot change")
    return IN_PLACE


def _stateful_set(wanted: Manifest, live: Manifest) -> Passage:
    new, old = wanted["spec"], live["spec"]
    if _differs(new.get("selector"), old.get("selector")):
        return Passage(Way.REFUSE, "spec.selector cannot change: the pods of before would belong to nobody")
    growth, lost = _claims(new.get("volumeClaimTemplates") or [], old.get("volumeClaimTemplates") or [])
    if lost:
        return Passage(Way.REFUSE, lost)
    fixed = (key for key in new if key not in _SET_MAY_CHANGE | {"volumeClaimTemplates"})
    changed = [f"spec.{key}" for key in fixed if _differs(new[key], old.get(key))]
    if growth:
        changed.append("spec.volumeClaimTemplates")
    return Passage(Way.REMAKE, f"{' and '.join(changed)} cannot change", growth) if changed else IN_PLACE


def _claims(new: list[Manifest], old: list[Manifest]) -> tuple[dict[str, str], str]:
    """Which templates grow, and to what size; or what cannot be done without losing data."""
    before = {one["metadata"]["name"]: one for one in old}
    if {one["metadata"]["name"] for one in new} != before.keys():
        return {}, "the set of volumes cannot change: their data would be left behind"
    growth: dict[str, str] = {}
    for claim in new:
        name = claim["metadata"]["name"]
        size, had = _size(claim), _size(before[name])
        if _differs(_but_size(claim), before[name]["spec"]):
            return {}, f"volume {name}: only its size can change; its data would be left behind"
        if amount(size) < amount(had):
            return {}, f"volume {name} cannot shrink from {had} to {size}: its data may not fit"
        if amount(size) > amount(had):
            growth[name] = size
    return growth, ""


def _claim(wanted: Manifest, live: Manifest) -> Passage:
    if _differs(_but_size(wanted), live["spec"]):
        return Passage(Way.REFUSE, "only the size of a volume can change; its data would be left behind")
    if amount(_size(wanted)) < amount(_size(live)):
        return Passage(Way.REFUSE, f"a volume cannot shrink from {_size(live)} to {_size(wanted)}")
    return IN_PLACE


def _job(wanted: Manifest, live: Manifest) -> Passage:
    changed = [
        f"spec.{key}"
        for key in _JOB_FIXED
        if key in wanted["spec"] and _differs(wanted["spec"][key], live["spec"].get(key))
    ]
    return Passage(Way.REPLACE, f"{' and '.join(changed)} cannot change") if changed else IN_PLACE


def _service(wanted: Manifest, live: Manifest) -> Passage:
    headless = wanted["spec"].get("clusterIP") == "None"
    if headless != (live["spec"].get("clusterIP") == "None"):
        return Passage(Way.REPLACE, "spec.clusterIP cannot change")
    return IN_PLACE


def _binding(wanted: Manifest, live: Manifest) -> Passage:
    if _differs(wanted.get("roleRef"), live.get("roleRef")):
        return Passage(Way.REPLACE, "roleRef cannot change")
    return IN_PLACE


def _content(wanted: Manifest, live: Manifest) -> Passage:
    if live.get("immutable") and any(
        wanted.get(key, {}) != live.get(key, {}) for key in ("data", "binaryData") if key in wanted
    ):
        return Passage(Way.REPLACE, "it is immutable")
    return IN_PLACE


_TABLE: Mapping[str, Callable[[Manifest, Manifest], Passage]] = {
    "Deployment": _deployment,
    "StatefulSet": _stateful_set,
    "PersistentVolumeClaim": _claim,
    "Job": _job,
    "Service": _service,
    "RoleBinding": _binding,
    "ConfigMap": _content,
    "Secret": _content,
}


def _size(claim: Manifest) -> str:
    return str(claim["spec"].get("resources", {}).get("requests", {}).get("storage", "0"))


def _but_size(claim: Manifest) -> Manifest:
    return {key: value for key, value in claim["spec"].items() if key != "resources"}


def _differs(wanted: Any, live: Any) -> bool:
    """Whether something that is wanted is not there; what the server added by default is no difference."""
    if isinstance(wanted, dict):
        return not isinstance(live, dict) or any(_differs(value, live.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(wanted) != len(live):
            return True
        return any(_differs(mine, theirs) for mine, theirs in zip(wanted, live, strict=True))
    return bool(wanted != live)
