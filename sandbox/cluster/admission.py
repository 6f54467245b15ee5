"""Who may write what, judged with a look at other objects: the admission plug-ins that a client meets.

Here: namespaces that are going, accounts that are missing, claims that may not grow. Not here: rules that one object
alone decides (``conventions.checks``).
"""

from __future__ import annotations

from sandbox.cluster import errors
from sandbox.cluster.conventions.checks import room
from sandbox.cluster.errors import Cause
from sandbox.cluster.kinds import CLAIM, CLASS, NAMESPACE, POD, SERVICE_ACCOUNT, Json, Kind
from sandbox.cluster.store import Store, Stored


def require_open(store: Store, kind: Kind, namespace: str, name: str) -> None:
    """Pass over a namespace that takes new objects.

    Raises:
        ApiError: 404 when there is none, 403 when it is going.
    """
    home = store.get(NAMESPACE, "", namespace)
    if home is None:
        raise errors.not_found(NAMESPACE, namespace)
    if home.deleting:
        cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
        message = f"unable to create new content in namespace {namespace} because it is being terminated"
        raise errors.forbidden(kind, name, message, causes=[cause])


def require_account(store: Store, pod: Json, name: str) -> None:
    """Pass over a pod whose service account exists.

    Raises:
        ApiError: 403.
    """
    namespace, account = pod["metadata"]["namespace"], pod["spec"].get("serviceAccountName", "default")
    if store.get(SERVICE_ACCOUNT, namespace, account) is None:
        message = f'error looking up service account {namespace}/{account}: serviceaccount "{account}" not found'
        raise errors.forbidden(POD, name, message)


def require_growth(store: Store, live: Stored, revised: Json) -> None:
    """Pass over everything but a claim that asks for more room than its class ever gives.

    Raises:
        ApiError: 403.
    """
    if live.kind != CLAIM or room(revised) <= room(live.document):
        return
    chosen = store.get(CLASS, "", revised["spec"].get("storageClassName", ""))
    if chosen is None or not chosen.document.get("allowVolumeExpansion"):
        message = (
            "only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must "
            "support resize"
        )
        raise errors.forbidden(CLAIM, live.name, message)
