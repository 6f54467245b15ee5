"""Whether an object that exists already may become part of an instance. Pure.

What carries the instance's label was marked for it, by us or by a person; what the document names is handed over by it;
anything else belongs to somebody, and a name that happens to be the same gives no right to it.
"""

from __future__ import annotations

from agent.model.errors import ObjectRefused
from agent.model.instance import Adoptee, Instance
from agent.model.labels import INSTANCE
from agent.model.objects import Manifest, ObjectRef
from agent.planning.ownership import ownership_of


def is_ours(live: Manifest, instance_id: str) -> bool:
    """Whether an object is marked for the instance, or was applied by us and lost its mark."""
    mark = (live["metadata"].get("labels") or {}).get(INSTANCE)
    return mark == instance_id or (mark is None and bool(ownership_of(live)))


def handed_over(ref: ObjectRef, instance: Instance) -> bool:
    """Whether the document names the object among those to take over."""
    return Adoptee(ref.kind, ref.name) in instance.adopt


def judge(live: Manifest, instance: Instance) -> None:
    """Raise ObjectRefused unless the object may be taken."""
    ref = ObjectRef.of(live)
    mark = (live["metadata"].get("labels") or {}).get(INSTANCE)
    if is_ours(live, instance.id) or (mark is None and handed_over(ref, instance)):
        return
    whose = f"belongs to instance {mark}" if mark else "was not made for this instance"
    raise ObjectRefused(
        f"{ref} exists and {whose}",
        hint=f"rename or delete it; or hand it over: add {ref.kind}/{ref.name} to spec.adopt,"
        f" or label it {INSTANCE}={instance.id}",
    )
