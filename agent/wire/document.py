"""The document of one instance: ``AirflowInstance`` in ``perigee.dev/v1``, as a control plane writes it.

Here: its shape, its defaults, and what is refused with which words. Not here: what an instance is to the rest of the
agent (codec makes that from it), and whether this customer allows it (the guard judges what is rendered).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Field

from agent.model.errors import Refused
from agent.model.instance import Environment, Retain, State
from agent.wire.airflow import AirflowV1, refuse_reserved
from agent.wire.arrays import AtMost
from agent.wire.components import (
    BrokerV1,
    ComponentsV1,
    DatabaseV1,
    EmbeddedPostgresV1,
    EmbeddedRedisV1,
)
from agent.wire.frames import Frame, receive
from agent.wire.maintenance import MaintenanceV1
from agent.wire.refusals import Reason, broken, shown
from agent.wire.scalars import (
    AbsolutePath,
    AdopteeName,
    DnsLabel,
    Flag,
    InstanceId,
    InstanceName,
    LabelKey,
    LabelValue,
    Quantity,
    QuotaName,
)

API_VERSION: Final = "perigee.dev/v1"
KIND: Final = "AirflowInstance"

_OUR_GROUP: Final = re.compile(r"perigee\.dev/v[0-9]+[a-z0-9]*")
_ANY_KIND: Final = re.compile(r"[A-Z][A-Za-z0-9]*")
_OF_A_TOMBSTONE: Final = frozenset({"state", "retain", "paused", "namespace"})
_SHARED_NAMESPACES: Final = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
_OUR_LABELS: Final = ("perigee.dev/", "app.kubernetes.io/", "kubernetes.io/", "k8s.io/")


def _own_namespace(name: str) -> str:
    if name in _SHARED_NAMESPACES:
        raise broken(Reason.MALFORMED, f"{shown(name)} is shared by the whole cluster; an instance needs its own")
    return name


def _own_label(key: str) -> str:
    domain, slash, _ = key.partition("/")
    if slash and f".{domain}/".endswith(tuple(f".{ours}" for ours in _OUR_LABELS)):
        raise broken(Reason.RESERVED_SETTING, "labels of this domain are set by the agent or by Kubernetes")
    return key


class MetadataV1(Frame):
    """``id``: a UUID that is never used again, also not after the instance is gone. ``name``: for people."""

    id: InstanceId
    name: InstanceName
    labels: dict[Annotated[LabelKey, AfterValidator(_own_label)], LabelValue] = Field(default={}, max_length=32)


class IsolationV1(Frame):
    """The fence around the namespace. ``quota``: hard limits by resource; absent: computed from the components."""

    quota: dict[QuotaName, Quantity] | None = Field(default=None, max_length=64)
    network_policies: Flag = True


class DagsV1(Frame):
    """Where the image has its DAGs."""

    path: AbsolutePath = "/opt/airflow/dags"


class SpecV1(Frame):
    """What the instance shall be. A tombstone (``state: deleted``) needs ``state`` only; the rest then says nothing.

    ``retain``: what outlives a tombstone; only an explicit empty list removes data. ``paused``: observe, write nothing.
    ``adopt``: what exists already under a name that the instance needs, and may be taken over.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "if": {"required": ["state"], "properties": {"state": {"const": "deleted"}}},
            "else": {"required": ["namespace", "airflow"]},
        }
    )

    state: State = State.RUNNING
    retain: Annotated[tuple[Retain, ...], AtMost(len(Retain))] = tuple(Retain)
    paused: Flag = False
    namespace: Annotated[DnsLabel, AfterValidator(_own_namespace)] | None = None
    environment: Environment = Environment.DEV
    team: LabelValue = ""
    isolation: IsolationV1 = IsolationV1()
    airflow: AirflowV1 | None = None
    components: ComponentsV1 = ComponentsV1()
    dags: DagsV1 = DagsV1()
    database: DatabaseV1 = DatabaseV1(embedded=EmbeddedPostgresV1())
    broker: BrokerV1 = BrokerV1(embedded=EmbeddedRedisV1())
    adopt: Annotated[tuple[AdopteeName, ...], AtMost(100)] = ()
    maintenance: MaintenanceV1 = MaintenanceV1()


class AirflowInstanceV1(Frame):
    """One Airflow as a control plane wants it."""

    api_version: Literal["perigee.dev/v1"]
    kind: Literal["AirflowInstance"]
    metadata: MetadataV1
    spec: SpecV1


def receive_document(data: dict[str, Any]) -> tuple[AirflowInstanceV1, tuple[str, ...]]:
    """The document that this data is, and the paths of the fields that this version does not know.

    Raises Refused: UnknownMajor, Malformed, UnsupportedVersion, ReservedSetting.
    """
    _expect_kind(data)
    document, unknown = receive(AirflowInstanceV1, _reduced(data), what="document")
    spec = document.spec
    if spec.state is State.DELETED:
        return document, unknown
    for name in ("namespace", "airflow"):
        if getattr(spec, name) is None:
            raise Refused("is missing", path=f"spec.{name}", reason=Reason.MALFORMED)
    if spec.airflow is not None:
        refuse_reserved(spec.airflow)
    _refuse_strange_namespaces(spec)
    return document, unknown


def _refuse_strange_namespaces(spec: SpecV1) -> None:
    for index, adoptee in enumerate(spec.adopt):
        kind, _, name = adoptee.partition("/")
        if kind == "Namespace" and name != spec.namespace:
            message = f"{shown(name)} is not the namespace of this instance ({spec.namespace})"
            raise Refused(message, path=f"spec.adopt[{index}]", reason=Reason.MALFORMED, hint="leave it out")


def _expect_kind(data: dict[str, Any]) -> None:
    """Refuse another major version of ours, or another kind of it, as such; and any other data as malformed."""
    for path, known, ours in (("apiVersion", API_VERSION, _OUR_GROUP), ("kind", KIND, _ANY_KIND)):
        found = data.get(path)
        if found == known:
            continue
        if not isinstance(found, str):
            raise Refused(f"must be {known}", path=path, reason=Reason.MALFORMED)
        raise Refused(
            f"{shown(found)} is not known here; this version knows {known}",
            path=path,
            reason=Reason.UNKNOWN_MAJOR if ours.fullmatch(found) else Reason.MALFORMED,
            hint="upgrade the agent, or write the document for the version that it knows",
        )


def _reduced(data: dict[str, Any]) -> dict[str, Any]:
    """A tombstone without the fields that say nothing in it: whatever is wrong with them must not keep it alive."""
    spec = data.get("spec")
    if not isinstance(spec, dict) or spec.get("state") != State.DELETED:
        return data
    silent = {field.alias or name for name, field in SpecV1.model_fields.items()} - _OF_A_TOMBSTONE
    return {**data, "spec": {key: value for key, value in spec.items() if key not in silent}}
