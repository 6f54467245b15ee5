"""What may not change once an object exists, and which changes are a new generation."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.kube import Json, Kube
from tests.support.objects import Objects, but, config_map, deployment

LABELS = {"matchLabels": {"app": "web"}}
CONTAINERS = {"containers": [{"name": "web", "image": "web:1"}]}
TEMPLATE = {"metadata": {"labels": {"app": "web"}}, "spec": CONTAINERS}
NOWHERE = {"nodeSelector": {"there": "none"}}
JOB_SPEC = CONTAINERS | NOWHERE | {"restartPolicy": "Never"}
OTHER_IMAGE = {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}


def doc(version: str, kind: str, **content: Any) -> Json:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}} | content


STATEFUL = doc(
    "apps/v1", "StatefulSet", spec={"replicas": 0, "serviceName": "x", "selector": LABELS} | {"template": TEMPLATE}
)
REPLICAS = doc("apps/v1", "ReplicaSet", spec={"replicas": 0, "selector": LABELS, "template": TEMPLATE})
DAEMON = doc(
    "apps/v1", "DaemonSet", spec={"selector": LABELS, "template": but(TEMPLATE, "spec", value=CONTAINERS | NOWHERE)}
)
JOB = doc("batch/v1", "Job", spec={"template": {"spec": JOB_SPEC}})
SECRET = doc("v1", "Secret", data={"a": "YQ=="})
FROZEN = SECRET | {"immutable": True}
BINDING = doc(
    "rbac.authorization.k8s.io/v1",
    "RoleBinding",
    roleRef={"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"},
)
CLAIM = doc(
    "v1",
    "PersistentVolumeClaim",
    spec={"storageClassName": "none", "accessModes": ["ReadWriteOnce"]}
    | {"resources": {"requests": {"storage": "1Gi"}}},
)
SERVICE = doc("v1", "Service", spec={"ports": [{"port": 80}]})
POD = doc("v1", "Pod", spec=CONTAINERS | NOWHERE)
KEPT = "Forbidden: field is immutable when `immutable` is set"
IMMUTABLE = 'Invalid value: {"matchLabels":{"app":"web","b":"c"}}: field is immutable'
MORE_LABELS = {"spec": {"selector": {"matchLabels": {"b": "c"}}, "template": {"metadata": {"labels": {"b": "c"}}}}}
SET_RULE = (
    "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
    "forbidden"
)
CLAIM_RULE = (
    "Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
    "claims"
)
POD_RULE = (
    "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
PRINTED_ROLE = '{"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"s"}'

REFUSALS: list[tuple[Json, Json, str, str]] = [
    (deployment("x", selector=LABELS, template=TEMPLATE), MORE_LABELS, "spec.selector", IMMUTABLE),
    (REPLICAS, MORE_LABELS, "spec.selector", IMMUTABLE),
    (DAEMON, MORE_LABELS, "spec.selector", IMMUTABLE),
    (STATEFUL, {"spec": {"serviceName": "y"}}, "spec", SET_RULE),
    (STATEFUL, MORE_LABELS, "spec", SET_RULE),
    (JOB, {"spec": {"completions": 3}}, "spec.completions", "Invalid value: 3: field is immutable"),
    (JOB, {"spec": {"template": OTHER_IMAGE}}, "spec.template", ": field is immutable"),
    (SECRET, {"type": "other"}, "type", 'Invalid value: "other": field is immutable'),
    (FROZEN, {"data": {"a": "Yg=="}}, "data", KEPT),
    (FROZEN, {"immutable": None}, "immutable", KEPT),
    (config_map("x", a="1") | {"immutable": True}, {"data": {"a": "2"}}, "data", KEPT),
    (config_map("x", a="1") | {"immutable": True}, {"binaryData": {"b": "YQ=="}}, "binaryData", KEPT),
    (BINDING, {"roleRef": {"name": "s"}}, "roleRef", f"Invalid value: {PRINTED_ROLE}: cannot change roleRef"),
    (
        SERVICE,
        {"spec": {"clusterIP": "10.96.99.99", "clusterIPs": ["10.96.99.99"]}},
        "spec.clusterIPs[0]",
        'Invalid value: ["10.96.99.99"]: may not change once set',
    ),
    (CLAIM, {"spec": {"accessModes": ["ReadOnlyMany"]}}, "spec", CLAIM_RULE),
    (CLAIM, {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}, "spec", CLAIM_RULE),
    (POD, {"spec": {"nodeSelector": {"there": "some"}}}, "spec", POD_RULE),
]


@pytest.fixture(autouse=True)
async def furnished(kube: Kube, objects: Objects) -> None:
    """Pods need the account that a new namespace gets a moment later."""
    await kube.until(f"/api/v1/namespaces/{objects.namespace}/serviceaccounts/default", lambda _: True)


@pytest.mark.parametrize(
    ("document", "patch", "field", "message"), REFUSALS, ids=[f"{each[0]['kind']} {each[2]}" for each in REFUSALS]
)
async def test_what_may_not_change(objects: Objects, document: Json, patch: Json, field: str, message: str) -> None:
    await objects.create(document, "ann")
    answer = await objects.try_patch(document, patch, "ann")
    assert (answer.status, answer.body["reason"], answer.body["details"]["name"]) == (422, "Invalid", "x")
    assert answer.body["details"]["kind"] == document["kind"]
    (found,) = answer.body["details"]["causes"]
    assert found["field"] == field
    # Where the real server prints a whole structure of Go, or a difference after its sentence, that part is left out.
    assert message in found["message"]


ALLOWED: list[tuple[Json, Any]] = [
    (
        STATEFUL,
        {
            "spec": {"replicas": 1, "template": OTHER_IMAGE, "minReadySeconds": 1}
            | {"updateStrategy": {"type": "OnDelete", "rollingUpdate": None}}
        },
    ),
    (JOB, {"spec": {"parallelism": 0, "suspend": True}}),
    (FROZEN, {"metadata": {"labels": {"a": "b"}}}),
    (SECRET, {"immutable": True}),
    (BINDING, {"subjects": [{"kind": "User", "name": "u", "apiGroup": "rbac.authorization.k8s.io"}]}),
    (SERVICE, {"spec": {"ports": [{"port": 81}]}}),
    (POD, {"spec": {"activeDeadlineSeconds": 99}, "metadata": {"labels": {"a": "b"}}}),
    (POD, [{"op": "replace", "path": "/spec/containers/0/image", "value": "web:2"}]),
]


@pytest.mark.parametrize(("document", "patch"), ALLOWED, ids=[each[0]["kind"] for each in ALLOWED])
async def test_what_may(objects: Objects, document: Json, patch: Any) -> None:
    created = await objects.create(document, "ann")
    form = "application/json-patch+json" if isinstance(patch, list) else "application/merge-patch+json"
    changed = await objects.patch(document, patch, "ann", form=form)
    assert changed["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]


CONTENT: list[tuple[str, Json, list[tuple[str, str]]]] = [
    (
        "Deployment",
        {"template": TEMPLATE},
        [
            ("spec.selector", "Required value"),
            (
                "spec.template.metadata.labels",
                'Invalid value: {"app":"web"}: `selector` does not match template `labels`',
            ),
        ],
    ),
    (
        "Deployment",
        {"selector": {}, "template": TEMPLATE},
        [("spec.selector", "Invalid value: {}: empty selector is invalid for deployment")],
    ),
    (
        "StatefulSet",
        {"serviceName": "x", "selector": {}, "template": TEMPLATE},
        [("spec.selector", "Invalid value: {}: empty selector is invalid for statefulset")],
    ),
    (
        "Deployment",
        {"selector": {"matchLabels": {"app": "other"}}, "template": TEMPLATE},
        [
            (
                "spec.template.metadata.labels",
                'Invalid value: {"app":"web"}: `selector` does not match template `labels`',
            )
        ],
    ),
    (
        "ReplicaSet",
        {
            "selector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]},
            "template": TEMPLATE,
        },
        [
            (
                "spec.template.metadata.labels",
                'Invalid value: {"app":"web"}: `selector` does not match template `labels`',
            )
        ],
    ),
    (
        "Deployment",
        {},
        [
            ("spec.selector", "Required value"),
            ("spec.template.metadata.labels", "Invalid value: null: `selector` does not match template `labels`"),
            ("spec.template.spec.containers", "Required value"),
        ],
    ),
    (
        "Job",
        {},
        [
            ("spec.template.spec.containers", "Required value"),
            ("spec.template.spec.restartPolicy", 'Required value: valid values: "OnFailure", "Never"'),
        ],
    ),
    (
        "Job",
        {"template": {"spec": CONTAINERS}},
        [("spec.template.spec.restartPolicy", 'Required value: valid values: "OnFailure", "Never"')],
    ),
    ("Pod", {"containers": []}, [("spec.containers", "Required value")]),
]


@pytest.mark.parametrize(("kind", "spec", "causes"), CONTENT)
async def test_content_that_does_not_fit_together(
    objects: Objects, kind: str, spec: Json, causes: list[tuple[str, str]]
) -> None:
    document = doc({"Job": "batch/v1", "Pod": "v1"}.get(kind, "apps/v1"), kind, spec=spec)
    answer = await objects.kube.request("POST", objects.collection(document), document)
    assert (answer.status, answer.body["reason"]) == (422, "Invalid")
    assert [(each["field"], each["message"]) for each in answer.body["details"]["causes"]] == causes


@pytest.mark.parametrize(
    "selector",
    [
        {"matchLabels": {"app": "web"}},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "b"]}]},
        {"matchExpressions": [{"key": "app", "operator": "Exists"}, {"key": "z", "operator": "DoesNotExist"}]},
    ],
)
async def test_selectors_that_fit(objects: Objects, selector: Json) -> None:
    await objects.create(deployment("x", selector=selector, template=TEMPLATE), "ann")


INGRESS = doc("networking.k8s.io/v1", "Ingress", spec={"ingressClassName": "a", "rules": [{"host": "a.test"}]})
BUDGET = doc("policy/v1", "PodDisruptionBudget", spec={"minAvailable": 1, "selector": LABELS})
ROLE = doc("rbac.authorization.k8s.io/v1", "Role", rules=[])
READ_PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}
POLICY = doc("networking.k8s.io/v1", "NetworkPolicy", spec={"podSelector": {}})
CRON = doc(
    "batch/v1", "CronJob", spec={"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": JOB_SPEC}}}}
)
GENERATIONS: list[tuple[Json, Json, int | None, int | None]] = [
    # What is changed in the specification, and the generations after it and after one more annotation.
    (deployment("x", paused=True), {"spec": {"minReadySeconds": 1}}, 2, 3),
    (REPLICAS, {"spec": {"minReadySeconds": 1}}, 2, 2),
    (STATEFUL, {"spec": {"minReadySeconds": 1}}, 2, 2),
    (DAEMON, {"spec": {"minReadySeconds": 1}}, 2, 2),
    (JOB, {"spec": {"parallelism": 0}}, 2, 2),
    (CRON, {"spec": {"suspend": True}}, 2, 2),
    (INGRESS, {"spec": {"ingressClassName": "b"}}, 2, 2),
    (POLICY, {"spec": {"policyTypes": ["Egress"]}}, 2, 2),
    (BUDGET, {"spec": {"minAvailable": 2}}, 2, 2),
    (POD, {"spec": {"activeDeadlineSeconds": 99}}, 2, 2),
    (SERVICE, {"spec": {"ports": [{"port": 81}]}}, None, None),
    (config_map("x", a="1"), {"data": {"a": "2"}}, None, None),
    (SECRET, {"data": {"a": "Yg=="}}, None, None),
    (doc("v1", "ServiceAccount"), {"automountServiceAccountToken": False}, None, None),
    (doc("v1", "ResourceQuota", spec={"hard": {"pods": "1"}}), {"spec": {"hard": {"pods": "2"}}}, None, None),
    (doc("coordination.k8s.io/v1", "Lease"), {"spec": {"holderIdentity": "a"}}, None, None),
    (ROLE, {"rules": [READ_PODS]}, None, None),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "patch", "after", "annotated"), GENERATIONS, ids=[each[0]["kind"] for each in GENERATIONS]
)
async def test_generations(
    objects: Objects, document: Json, patch: Json, after: int | None, annotated: int | None
) -> None:
    created = await objects.create(document, "ann")
    assert created["metadata"].get("generation") == (after and 1)
    labelled = await objects.patch(document, {"metadata": {"labels": {"l": "1"}}}, "ann")
    assert labelled["metadata"].get("generation") == (after and 1)
    assert (await objects.patch(document, patch, "ann"))["metadata"].get("generation") == after
    noted = await objects.patch(document, {"metadata": {"annotations": {"a": "1"}}}, "ann")
    assert noted["metadata"].get("generation") == annotated
