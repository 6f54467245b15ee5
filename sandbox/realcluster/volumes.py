"""The provisioner of the default StorageClass, as stages of kwok: a claim gets a volume made for it, a grown claim a
grown volume, a released volume goes.

Binding itself is done by kube-controller-manager, as everywhere. Its own `--enable-hostpath-provisioner` would leave
a folder in this machine's /tmp for every claim, and without any provisioner the scheduler never places a pod with a
claim.
"""

from __future__ import annotations

from typing import Any

STORAGE_CLASS = "standard"
PROVISIONER = "sandbox.perigee.dev/volumes"

# A Go template over the claim. Named after the claim's uid: playing the stage twice makes one volume.
VOLUME = """
apiVersion: v1
kind: PersistentVolume
metadata:
  name: pvc-{{ .metadata.uid }}
  annotations: {pv.kubernetes.io/provisioned-by: %(provisioner)s}
spec:
  capacity: {storage: {{ .spec.resources.requests.storage | Quote }}}
  accessModes:
  {{ range .spec.accessModes }}
  - {{ . }}
  {{ end }}
  volumeMode: {{ or .spec.volumeMode "Filesystem" }}
  persistentVolumeReclaimPolicy: Delete
  storageClassName: %(storage_class)s
  claimRef:
    apiVersion: v1
    kind: PersistentVolumeClaim
    namespace: {{ .metadata.namespace }}
    name: {{ .metadata.name }}
    uid: {{ .metadata.uid }}
  hostPath: {path: "%(folder)s/pvc-{{ .metadata.uid }}", type: DirectoryOrCreate}
"""
NEW_SIZE = "capacity: {storage: {{ .spec.resources.requests.storage | Quote }}}"

OF_OUR_CLASS = {"key": ".spec.storageClassName", "operator": "In", "values": [STORAGE_CLASS]}
NOT_GOING = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}


def volume_stages(folder: str) -> list[dict[str, Any]]:
    """The stages; each volume is the directory `folder`/pvc-<uid of the claim>, made by the kubelet that mounts it
    first.
    """
    make = {
        "apply": {"template": VOLUME % {"folder": folder, "provisioner": PROVISIONER, "storage_class": STORAGE_CLASS}}
    }
    report = {"patch": {"subresource": "status", "root": "status", "type": "merge", "template": NEW_SIZE}}
    return [
        _stage(
            "claim-gets-volume", "PersistentVolumeClaim", [_is(".status.phase", "Pending"), _is_not_bound()], [make]
        ),
        _stage(
            "claim-grows",
            "PersistentVolumeClaim",
            [_is(".status.phase", "Bound"), _is_ours(), _is_larger()],
            [make, report],
        ),
        _stage(
            "volume-goes", "PersistentVolume", [_is(".status.phase", "Released"), _is_reclaimed()], [{"delete": True}]
        ),
    ]


def _stage(name: str, kind: str, when: list[dict[str, Any]], steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": kind},
            "selector": {"matchExpressions": [NOT_GOING, OF_OUR_CLASS, *when]},
            "steps": steps,
        },
    }


def _is(key: str, value: str) -> dict[str, Any]:
    return {"key": key, "operator": "In", "values": [value]}


def _is_not_bound() -> dict[str, Any]:
    return {"key": ".spec.volumeName", "operator": "DoesNotExist"}


def _is_ours() -> dict[str, Any]:
    """A claim bound by hand to somebody's volume stays out of this."""
    return _is('.spec.volumeName == "pvc-" + .metadata.uid', "true")


def _is_larger() -> dict[str, Any]:
    return _is(".spec.resources.requests.storage != .status.capacity.storage", "true")


def _is_reclaimed() -> dict[str, Any]:
    return _is(".spec.persistentVolumeReclaimPolicy", "Delete")
