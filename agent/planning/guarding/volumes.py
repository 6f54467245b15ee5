"""What may be mounted: volumes that reach neither the node nor anybody else's data, and no minted tokens.

Every type that is not listed here is refused, also those that Kubernetes does not have yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from agent.planning.guarding.walking import Case, Found, Place

_TYPES: Final = frozenset(
    {"configMap", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_SOURCES: Final = frozenset({"clusterTrustBundle", "configMap", "downwardAPI", "secret", "serviceAccountToken"})
_PART_OF_EVERY: Final = frozenset({"name"})


def volumes(case: Case) -> Iterator[Found]:
    """Volumes and sources of projected ones, by their type."""
    types = _TYPES | case.guard.volume_types
    for volume in _volumes(case):
        yield from _beyond(volume, types, more="volumeTypes")
        for source in volume.at("projected").each("sources"):
            yield from _beyond(source, _SOURCES, more="")


def audiences(case: Case) -> Iterator[Found]:
    """A token for somebody else speaks for the pod there; one without an audience speaks to the Kubernetes API."""
    for volume in _volumes(case):
        for source in volume.at("projected").each("sources"):
            token = source.at("serviceAccountToken")
            if "serviceAccountToken" in source.body and token.body.get("audience") not in case.guard.token_audiences:
                yield token.found("audience", f"must be one of tokenAudiences ({_list(case.guard.token_audiences)})")


def claim_sources(case: Case) -> Iterator[Found]:
    """A claim that names its volume, or where its content comes from, may get somebody else's data."""
    for claim in claims(case):
        spec = claim.at("spec")
        for name in ("volumeName", "selector"):
            if spec.says(name):
                yield spec.found(name, "a claim of an instance gets a new volume")
        for name in ("dataSource", "dataSourceRef"):
            if spec.says(name):
                yield spec.found(name, "a claim of an instance begins empty")


def claims(case: Case) -> Iterator[Place]:
    """Every volume claim: objects, templates of StatefulSets, and of volumes that end with their pod."""
    yield from case.of_kind("PersistentVolumeClaim")
    for one in case.of_kind("StatefulSet"):
        yield from one.at("spec").each("volumeClaimTemplates")
    for volume in _volumes(case):
        if "ephemeral" in volume.body:
            yield volume.at("ephemeral", "volumeClaimTemplate")


def image_volumes(case: Case) -> Iterator[Place]:
    """Volumes that are made of an image."""
    return (volume.at("image") for volume in _volumes(case) if "image" in volume.body)


def _volumes(case: Case) -> Iterator[Place]:
    for pod in case.pods:
        yield from pod.spec.each("volumes")


def _beyond(place: Place, allowed: frozenset[str], *, more: str) -> Iterator[Found]:
    hint = f", or listed in {more}" if more else ""
    for name in sorted(map(str, place.body.keys() - allowed - _PART_OF_EVERY)):
        yield place.found(name, f"must be one of {', '.join(sorted(allowed))}{hint}")


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"
