"""What somebody would try who took the agent over, each with who says no where the agent makes namespaces itself.

Here: the attempts. Not here: as whom they are made (tests/cluster).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agent.model.labels import INSTANCE
from agent.model.objects import Manifest
from tests.support.kube import Kube, Response
from tests.support.rights import (
    ACCOUNT,
    NAMESPACE,
    POD_SECURITY,
    RBAC,
    an_instances_namespace,
    binding,
    path_in_cluster,
)

MERGE = "application/merge-patch+json"
HOME = "HOME"
"""Stands for the namespace of an instance, in which the account has all its rights."""
ROLES = "cannot"
ESCALATION = "not currently held"
POLICY = "ValidatingAdmissionPolicy"
LIFECYCLE = "this namespace may not be deleted"


@dataclass(frozen=True)
class Attempt:
    """One request; a body of a PATCH is a merge patch."""

    method: str
    path: str
    body: Any = None
    by: str = ROLES

    async def make(self, kube: Kube, home: str, *, agent: str = NAMESPACE) -> Response:
        """Try it without effect, where an instance lives and where the agent does."""
        places = {HOME: home, NAMESPACE: agent}
        body, path = _at(self.body, places), self.path.replace(HOME, home).replace(NAMESPACE, agent)
        params = {} if self.method == "GET" else {"dryRun": "All"}
        typed = MERGE if self.method == "PATCH" else "application/json"
        return await kube.request(self.method, path, body, params=params, content_type=typed)


def _at(body: Any, places: Mapping[str, str]) -> Any:
    if isinstance(body, dict):
        return {key: _at(value, places) for key, value in body.items()}
    if isinstance(body, list):
        return [_at(value, places) for value in body]
    return places.get(body, body) if isinstance(body, str) else body


def of_kind(kind: str, version: str = "v1", **fields: Any) -> Manifest:
    """An object that somebody would like to have."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "stolen"}, **fields}


def create(manifest: Manifest, namespace: str = "", *, by: str = ROLES) -> Attempt:
    placed = {**manifest, "metadata": {**manifest["metadata"], **({"namespace": namespace} if namespace else {})}}
    return Attempt("POST", path_in_cluster(placed).rpartition("/")[0], placed, by)


def bind(namespace: str, *, by: str = POLICY, **wrong: str) -> Attempt:
    return create(binding(namespace, **wrong), namespace, by=by)


def bind_to(**subject: str) -> Attempt:
    return create({**binding(HOME), "subjects": [{"apiGroup": RBAC, **subject}]}, HOME, by=POLICY)


def labelled(namespace: str, **labels: str | None) -> Attempt:
    named = {{"instance": INSTANCE, "level": POD_SECURITY}[key]: value for key, value in labels.items()}
    return Attempt("PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": named}}, POLICY)


CONFIG_MAP = of_kind("ConfigMap", data={"a": "b"})
POD = of_kind("Pod", spec={"containers": [{"name": "main", "image": "test:1"}]})
JOB = of_kind("Job", "batch/v1", spec={"template": {"spec": {**POD["spec"], "restartPolicy": "Never"}}})
WILD = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
CLUSTER_ADMIN = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
TOKEN_REQUEST = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
A_TOKEN = of_kind("Secret", type="kubernetes.io/service-account-token") | {
    "metadata": {"name": "stolen", "annotations": {"kubernetes.io/service-account.name": ACCOUNT}}
}


ATTEMPTS = {
    # What is private.
    "list all secrets": Attempt("GET", "/api/v1/secrets"),
    "list all configmaps": Attempt("GET", "/api/v1/configmaps"),
    "list secrets of kube-system": Attempt("GET", "/api/v1/namespaces/kube-system/secrets"),
    "read a secret of kube-system": Attempt("GET", "/api/v1/namespaces/kube-system/secrets/foreign"),
    "read a secret of a neighbour": Attempt("GET", "/api/v1/namespaces/default/secrets/foreign"),
    "read a configmap of kube-system": Attempt(
        "GET", "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    ),
    "read logs": Attempt("GET", f"/api/v1/namespaces/{HOME}/pods/web/log"),
    # What is not ours.
    "write into an unlabelled namespace": create(CONFIG_MAP, "default"),
    "write a secret into kube-system": create(of_kind("Secret"), "kube-system"),
    "run a job in kube-system": create(JOB, "kube-system"),
    "run a pod in kube-system": create(POD, "kube-system"),
    "delete a service of default": Attempt("DELETE", "/api/v1/namespaces/default/services/kubernetes"),
    "write configuration into its own namespace": create(CONFIG_MAP, NAMESPACE),
    # Ways into a namespace.
    "label kube-system": labelled("kube-system", instance="mine"),
    "label default": labelled("default", instance="mine"),
    "label its own namespace": labelled(NAMESPACE, instance="mine"),
    "take the label off": labelled(HOME, instance=None),
    "make a namespace without the label": create(of_kind("Namespace"), by=POLICY),
    "delete kube-system": Attempt("DELETE", "/api/v1/namespaces/kube-system", by=LIFECYCLE),
    "delete default": Attempt("DELETE", "/api/v1/namespaces/default", by=LIFECYCLE),
    "delete its own namespace": Attempt("DELETE", f"/api/v1/namespaces/{NAMESPACE}", by=POLICY),
    "delete all namespaces": Attempt("DELETE", "/api/v1/namespaces"),
    "finalize a namespace": Attempt("PUT", f"/api/v1/namespaces/{HOME}/finalize", of_kind("Namespace")),
    # From a pod to its node.
    "make a privileged namespace": create(an_instances_namespace("stolen", level="privileged"), by=POLICY),
    "make a namespace without a level": create(an_instances_namespace("stolen", level=""), by=POLICY),
    "weaken the level": labelled(HOME, level="privileged"),
    "drop the level": labelled(HOME, level=None),
    "start a pod by itself": create(POD, HOME),
    "enter a pod": Attempt("POST", f"/api/v1/namespaces/{HOME}/pods/web/exec"),
    "reach a service through the API server": Attempt("GET", f"/api/v1/namespaces/{HOME}/services/web/proxy/"),
    "delete a pod": Attempt("DELETE", f"/api/v1/namespaces/{HOME}/pods/web"),
    "list nodes": Attempt("GET", "/api/v1/nodes"),
    "change a node": Attempt("PATCH", "/api/v1/nodes/simulated-0", {"metadata": {"labels": {"a": "b"}}}),
    # More rights.
    "bind cluster-admin": bind(HOME, by=ESCALATION, role="cluster-admin"),
    "bind cluster-admin in kube-system": bind("kube-system", by=ESCALATION, role="cluster-admin"),
    "bind admin": bind(HOME, by=ESCALATION, role="admin"),
    "bind its rights over the cluster": bind(HOME, role="perigee-agent"),
    "bind the instance's rights in kube-system": bind("kube-system"),
    "bind the instance's rights in default": bind("default"),
    "bind the instance's rights in its own namespace": bind(NAMESPACE),
    "bind another account": bind(HOME, account="default"),
    "bind an account of kube-system": bind(HOME, agent="kube-system"),
    "bind everybody": bind_to(kind="Group", name="system:authenticated"),
    "bind a user": bind_to(kind="User", name="mallory"),
    "bind all of the cluster": create(
        of_kind("ClusterRoleBinding", f"{RBAC}/v1", roleRef=CLUSTER_ADMIN, subjects=binding(HOME)["subjects"])
    ),
    "make a cluster role": create(of_kind("ClusterRole", f"{RBAC}/v1", rules=WILD)),
    "make a role": create(of_kind("Role", f"{RBAC}/v1", rules=WILD), HOME),
    "widen the instance's role": Attempt("PATCH", f"/apis/{RBAC}/v1/clusterroles/perigee-instance", {"rules": WILD}),
    "widen its own role": Attempt(
        "PATCH", f"/apis/{RBAC}/v1/namespaces/{NAMESPACE}/roles/perigee-agent", {"rules": WILD}
    ),
    # Another identity.
    "a token of another account": Attempt(
        "POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token", TOKEN_REQUEST
    ),
    "a token of its own": Attempt(
        "POST", f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{ACCOUNT}/token", TOKEN_REQUEST
    ),
    "a token for ever of its own": create(A_TOKEN, NAMESPACE, by=POLICY),
    "a token for ever in an instance": create(A_TOKEN, HOME, by=POLICY),
    "sign a certificate": create(of_kind("CertificateSigningRequest", "certificates.k8s.io/v1", spec={})),
    # The fence itself.
    "weaken the policy": Attempt(
        "PATCH", f"{ADMISSION}/validatingadmissionpolicies/perigee-agent", {"spec": {"failurePolicy": "Ignore"}}
    ),
    "unbind the policy": Attempt("DELETE", f"{ADMISSION}/validatingadmissionpolicybindings/perigee-agent"),
    "register a webhook": create(of_kind("MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1")),
    "define a kind": create(of_kind("CustomResourceDefinition", "apiextensions.k8s.io/v1", spec={})),
}
