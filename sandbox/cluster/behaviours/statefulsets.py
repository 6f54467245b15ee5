"""StatefulSets: pods with ordinals, their claims, and rolls from the highest ordinal down.

Here: ordered and parallel creation, RollingUpdate with partition, OnDelete, revisions. Not here: pods' lives.
"""

from __future__ import annotations

from collections.abc import Iterator

from sandbox.cluster.behaviours.deployments import template_hash
from sandbox.cluster.behaviours.desk import Desk, is_true, owned_by
from sandbox.cluster.behaviours.happenings import Happening
from sandbox.cluster.behaviours.replicasets import pod_of
from sandbox.cluster.kinds import CLAIM, POD, REVISION, STATEFUL_SET, Json
from sandbox.cluster.store import Change, Stored

_PROGRAM = "statefulset-controller"
_REVISION_LABEL = "controller-revision-hash"


class StatefulSets:
    """Looks at StatefulSets and at the pods that they control."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def concerned(self, change: Change) -> Iterator[Stored]:
        """Yield a StatefulSet that came or changed, or whose pod did."""
        if change.after.kind == STATEFUL_SET:
            yield change.after
        elif change.after.kind == POD:
            owner = self._desk.parent(change.after, STATEFUL_SET)
            if owner is not None:
                yield owner

    def settle(self, stored: Stored) -> None:
        """Take the next step in the order of ordinals; report."""
        stateful_set = self._desk.fresh(stored)
        if stateful_set is None:
            return
        if not stateful_set.deleting:
            self._desk.adopt(stateful_set, REVISION)
            self._desk.adopt(stateful_set, POD)
        revision = self._revision(stateful_set)
        if not stateful_set.deleting:
            self._step(stateful_set, revision)
        self._desk.report(stateful_set, self._status(stateful_set, revision))

    def _pods(self, stateful_set: Stored) -> dict[int, Stored]:
        pods = self._desk.children(stateful_set, POD)
        return dict(sorted((int(pod.name.rpartition("-")[2]), pod) for pod in pods))

    def _revision(self, stateful_set: Stored) -> str:
        """Return the name of the present template's revision, which is recorded when it is new."""
        template = stateful_set.document["spec"]["template"]
        name = f"{stateful_set.name}-{template_hash(template)}"
        known = self._desk.children(stateful_set, REVISION)
        if all(each.name != name for each in known):
            metadata = {
                "name": name,
                "namespace": stateful_set.namespace,
                "labels": stateful_set.document["spec"]["selector"].get("matchLabels", {}),
                "ownerReferences": [owned_by(stateful_set)],
            }
            content = {"data": {"spec": {"template": template}}, "revision": len(known) + 1}
            self._desk.create(REVISION, {"metadata": metadata} | content)
        return name

    def _step(self, stateful_set: Stored, revision: str) -> None:
        spec, pods = stateful_set.document["spec"], self._pods(stateful_set)
        ordered = spec["podManagementPolicy"] == "OrderedReady"
        settled = True
        for ordinal in range(spec["replicas"]):
            if settled or not ordered:
                settled = self._present(stateful_set, ordinal, pods.get(ordinal), revision) and settled
        if ordered and not settled:
            return
        for ordinal in [each for each in reversed(pods) if each >= spec["replicas"]]:
            if not pods[ordinal].deleting:
                self._remove(stateful_set, pods[ordinal])
            if ordered:
                return
        if settled:
            self._update(stateful_set, pods, revision)

    def _present(self, stateful_set: Stored, ordinal: int, pod: Stored | None, revision: str) -> bool:
        """Make sure that a pod of this ordinal exists; say whether it is ready."""
        if pod is not None:
            return is_true(pod.document, "Ready") and not pod.deleting
        name = f"{stateful_set.name}-{ordinal}"
        claims = self._claims(stateful_set, name)
        labels = {
            "statefulset.kubernetes.io/pod-name": name,
            "apps.kubernetes.io/pod-index": str(ordinal),
            _REVISION_LABEL: revision,
        }
        made = pod_of(stateful_set, name=name, labels=labels)
        volumes = [each for each in made["spec"].get("volumes", []) if each["name"] not in claims]
        mounted = [{"name": key, "persistentVolumeClaim": {"claimName": claim}} for key, claim in claims.items()]
        made["spec"] |= {"hostname": name, "volumes": volumes + mounted}
        self._desk.create(POD, made)
        self._tell(stateful_set, "Create", f"Pod {name} in StatefulSet {stateful_set.name} successful")
        return False

    def _tell(self, stateful_set: Stored, verb: str, rest: str) -> None:
        self._desk.tell(stateful_set, Happening(f"Successful{verb}", f"{verb} {rest}", _PROGRAM))

    def _remove(self, stateful_set: Stored, pod: Stored) -> None:
        self._desk.delete(pod)
        self._tell(stateful_set, "Delete", f"Pod {pod.name} in StatefulSet {stateful_set.name} successful")

    def _claims(self, stateful_set: Stored, pod: str) -> dict[str, str]:
        """Make sure that the claims of a pod exist; return their names by those of the volumes."""
        claims: dict[str, str] = {}
        for template in stateful_set.document["spec"].get("volumeClaimTemplates", []):
            volume = template["metadata"]["name"]
            claims[volume] = f"{volume}-{pod}"
            if self._desk.api.store.get(CLAIM, stateful_set.namespace, claims[volume]) is None:
                labels = (template["metadata"].get("labels") or {}) | stateful_set.document["spec"]["selector"].get(
                    "matchLabels", {}
                )
                metadata = {"name": claims[volume], "namespace": stateful_set.namespace, "labels": labels}
                self._desk.create(CLAIM, {"metadata": metadata, "spec": template["spec"]})
                told = f"Claim {claims[volume]} Pod {pod} in StatefulSet {stateful_set.name} success"
                self._tell(stateful_set, "Create", told)
        return claims

    def _update(self, stateful_set: Stored, pods: dict[int, Stored], revision: str) -> None:
        """Delete the highest pod that does not follow the template, where the strategy lets the controller do so."""
        strategy = stateful_set.document["spec"]["updateStrategy"]
        if strategy["type"] == "RollingUpdate":
            outdated = [
                pod
                for ordinal, pod in pods.items()
                if ordinal >= (strategy.get("rollingUpdate") or {}).get("partition", 0)
                and pod.document["metadata"]["labels"][_REVISION_LABEL] != revision
            ]
            for pod in outdated[-1:]:
                self._remove(stateful_set, pod)

    def _status(self, stateful_set: Stored, revision: str) -> Json:
        pods = list(self._pods(stateful_set).values())
        ready = sum(is_true(pod.document, "Ready") and not pod.deleting for pod in pods)
        updated = sum(pod.document["metadata"]["labels"][_REVISION_LABEL] == revision for pod in pods)
        wanted = stateful_set.document["spec"]["replicas"]
        known = stateful_set.document["status"].get("currentRevision", revision)
        current = revision if updated == len(pods) == ready == wanted else known
        kept = sum(pod.document["metadata"]["labels"][_REVISION_LABEL] == current for pod in pods)
        counts = {"readyReplicas": ready, "currentReplicas": kept, "updatedReplicas": updated}
        return {
            "observedGeneration": stateful_set.document["metadata"]["generation"],
            "replicas": len(pods),
            "availableReplicas": ready,
            "currentRevision": current,
            "updateRevision": revision,
            "collisionCount": 0,
            **{name: count for name, count in counts.items() if count},
        }
