"""A mutating webhook as clusters have them: registered at a real API server, which calls it over TLS.

Here: the endpoint, its registration, and until when it is in force. It changes every Deployment of some namespaces, the
way policy engines do: a label and an annotation beside what was sent, and two values other than what was sent.
"""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from agent.cluster.client import KubeClient, Request
from tests.support.kube import Json
from tests.support.pki import Authority

LABEL = "policy.example.com/tier"
ANNOTATION = "policy.example.com/stamped-by"
GRACE_SECONDS = 77
VARIABLE, VALUE = "DUMB_INIT_SETSID", "1"
HOST = "127.0.0.1"
IN_FORCE_SECONDS = 30.0
REGISTRATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


@dataclass(frozen=True, slots=True)
class Asked:
    """One call of the webhook."""

    namespace: str
    name: str
    dry_run: bool


@dataclass(slots=True)
class Mutator:
    """The endpoint, and what it was asked."""

    asked: list[Asked] = field(default_factory=list)

    def tried(self, namespace: str) -> set[str]:
        """The Deployments of a namespace of which it saw writes that were not to be carried out."""
        return {one.name for one in self.asked if one.namespace == namespace and one.dry_run}

    async def review(self, request: web.Request) -> web.Response:
        """Answer an AdmissionReview with a JSON patch."""
        asked = (await request.json())["request"]
        shown = asked["object"]
        name = shown["metadata"].get("name", "")
        self.asked.append(Asked(asked["namespace"], name, bool(asked.get("dryRun"))))
        patch = base64.b64encode(json.dumps(list(mutations(shown))).encode()).decode()
        response = {"uid": asked["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})


def mutations(deployment: Json) -> Iterator[Json]:
    """What is changed of a Deployment, whatever is written; the same again for what was changed before."""
    for where, key in (("labels", LABEL), ("annotations", ANNOTATION)):
        if where not in deployment["metadata"]:
            yield {"op": "add", "path": f"/metadata/{where}", "value": {}}
        yield {"op": "add", "path": f"/metadata/{where}/{key.replace('/', '~1')}", "value": "policy"}
    pod = deployment["spec"]["template"]["spec"]
    yield {"op": "add", "path": "/spec/template/spec/terminationGracePeriodSeconds", "value": GRACE_SECONDS}
    for container, one in enumerate(pod["containers"]):
        for place, variable in enumerate(one.get("env") or ()):
            if variable["name"] == VARIABLE:
                path = f"/spec/template/spec/containers/{container}/env/{place}/value"
                yield {"op": "replace", "path": path, "value": VALUE}


def is_mutated(deployment: Json) -> bool:
    """Whether a write of the Deployment went through the webhook."""
    return LABEL in (deployment["metadata"].get("labels") or {})


@asynccontextmanager
async def mutating(client: KubeClient, namespaces: Collection[str], *, tried_in: str) -> AsyncIterator[Mutator]:
    """A webhook that is in force for these namespaces while the block runs. ``tried_in`` is one that exists already."""
    authority, mutator, name = Authority("policy CA"), Mutator(), f"policy-{uuid.uuid4().hex[:8]}"
    application = web.Application()
    application.router.add_post("/mutate", mutator.review)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0, ssl_context=authority.server(HOST))
        await site.start()
        port = runner.addresses[0][1]
        registration = _registration(name, f"https://{HOST}:{port}/mutate", authority, namespaces)
        await client.send(Request("create", "POST", REGISTRATIONS, body=registration))
        try:
            await _in_force(client, tried_in)
            yield mutator
        finally:
            await client.send(Request("delete", "DELETE", f"{REGISTRATIONS}/{name}"))
    finally:
        await runner.cleanup()


def _registration(name: str, url: str, authority: Authority, namespaces: Collection[str]) -> Json:
    webhook = {
        "name": "policy.example.com",
        "clientConfig": {"url": url, "caBundle": base64.b64encode(authority.pem).decode()},
        "rules": [
            {
                "apiGroups": ["apps"],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["deployments"],
            }
        ],
        "namespaceSelector": {
            "matchExpressions": [
                {"key": "kubernetes.io/metadata.name", "operator": "In", "values": sorted(namespaces)},
            ]
        },
        # Else the API server would refuse dry runs, which must show what a real write would come to.
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
        "timeoutSeconds": 10,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }


async def _in_force(client: KubeClient, namespace: str) -> None:
    """Return when the API server asks the webhook: it learns of a registration a bit later."""
    pod: dict[str, Any] = {"containers": [{"name": "any", "image": "localhost/any:1"}]}
    labels = {"app": "tried"}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    tried = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "tried"}, "spec": spec}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    async with asyncio.timeout(IN_FORCE_SECONDS):
        while not is_mutated(await client.send(Request("create", "POST", path, {"dryRun": "All"}, tried))):
            pass
