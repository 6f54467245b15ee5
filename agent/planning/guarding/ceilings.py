"""How much an instance may take: ceilings for its quota, its replicas, each volume and each container.

What is not limited counts as without limit: a ceiling on memory refuses a container that has none.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.model.errors import Refused
from agent.model.instance import State
from agent.model.quantities import amount
from agent.planning.guarding.volumes import claims
from agent.planning.guarding.walking import Case, Found

_COMPONENTS = (
    ("apiServer", "api_server"),
    ("scheduler", "scheduler"),
    ("dagProcessor", "dag_processor"),
    ("triggerer", "triggerer"),
)
_REPLICATED = ("Deployment", "StatefulSet", "ReplicaSet", "ReplicationController")


def quota(case: Case) -> Iterator[Found]:
    """Some quota of the namespace bounds each resource that has a ceiling, and none goes beyond it."""
    for name, most in case.guard.ceilings.quota.items():
        hard = [one.at("spec", "hard") for one in case.of_kind("ResourceQuota")]
        bounding = [one for one in hard if name in one.body]
        if not bounding and case.manifests:
            yield case.document("spec.isolation.quota", f"no quota bounds {name}: at most {most}")
        yield from (one.found(name, f"at most {most}") for one in bounding if _above(one.body[name], most))


def replicas(case: Case) -> Iterator[Found]:
    """By the document, also while the instance sleeps or somebody else scales; and by every object."""
    most = case.guard.ceilings.replicas
    if most is None or case.instance.state is State.DELETED:
        return  # what a tombstone says beyond itself says nothing
    yield from _wanted(case, most)
    for name, kinds in (("replicas", _REPLICATED), ("parallelism", ("Job",))):
        for one in case.of_kind(*kinds):
            if _above(str(one.at("spec").body.get(name) or 0), str(most)):
                yield one.at("spec").found(name, f"at most {most}")


def _wanted(case: Case, most: int) -> Iterator[Found]:
    for name, attribute in _COMPONENTS:
        if getattr(case.instance, attribute).replicas > most:
            yield case.document(f"spec.components.{name}.replicas", f"at most {most}")
    for index, queue in enumerate(case.instance.workers):
        if queue.replicas > most:
            yield case.document(f"spec.components.workers.queues[{index}].replicas", f"at most {most}")


def storage(case: Case) -> Iterator[Found]:
    """Of each volume by itself; how many there are, the quota bounds."""
    most = case.guard.ceilings.storage
    if most is None:
        return
    for claim in claims(case):
        wanted = claim.at("spec", "resources", "requests")
        if "storage" not in wanted.body or _above(wanted.body["storage"], most):
            yield wanted.found("storage", f"at most {most}")


def requests(case: Case) -> Iterator[Found]:
    """What a container reserves; where it only says a limit, that is what Kubernetes reserves."""
    for _, container in case.containers:
        resources = container.at("resources")
        for name, most in case.guard.ceilings.requests.items():
            place = resources.at("requests" if name in resources.at("requests").body else "limits")
            if name in place.body and _above(place.body[name], most):
                yield place.found(name, f"at most {most}")


def limits(case: Case) -> Iterator[Found]:
    """What a container may grow to."""
    for _, container in case.containers:
        place = container.at("resources", "limits")
        for name, most in case.guard.ceilings.limits.items():
            if name not in place.body:
                yield place.found(name, f"is missing: at most {most}")
            elif _above(place.body[name], most):
                yield place.found(name, f"at most {most}")


def _above(quantity: object, most: str) -> bool:
    """Whether it is more; what is no quantity is more than anything."""
    try:
        return amount(str(quantity)) > amount(most)
    except Refused:
        return True
