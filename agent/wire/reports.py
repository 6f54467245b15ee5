"""Reports: how the agent and its instances fare, as they go over the wire.

A report travels as the body of one request; the stream (one life of an agent) and the sequence within it travel in
headers, so that the same batch sent twice counts once. Texts are cut to the lengths below before they are sent.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from agent.wire.arrays import AtMost
from agent.wire.frames import Frame
from agent.wire.limits import MAX_AUDIT_RECORD, MAX_AUDIT_RECORDS, MAX_INSTANCES, MAX_ORDERS
from agent.wire.orders import OrderResultV1
from agent.wire.scalars import Counter53, Moment

REPORT_SCHEMA: Final = "perigee.dev/report/v1"
STREAM_HEADER: Final = "Perigee-Stream"
SEQUENCE_HEADER: Final = "Perigee-Sequence"

MOST_CONDITIONS: Final = 64
MOST_COMPONENTS: Final = 128
MOST_CHANGES: Final = 200
LONGEST_TEXT: Final = 4000
LONGEST_WORD: Final = 316
"""A label key of Kubernetes, the longest name that is reported."""

Text = Annotated[str, StringConstraints(max_length=LONGEST_TEXT)]
Name = Annotated[str, StringConstraints(max_length=LONGEST_WORD)]
RecordText = Annotated[str, StringConstraints(max_length=MAX_AUDIT_RECORD)]


class ConditionV1(Frame):
    """A claim: ``since`` is when its status last changed."""

    type: Name
    status: Literal["True", "False", "Unknown"]
    reason: Name
    message: Text
    since: Moment


class ComponentV1(Frame):
    """How many pods of a component there shall be and how many are ready."""

    name: Name
    desired: Counter53
    ready: Counter53


class ObjectV1(Frame):
    """What names one object; no namespace: the object is cluster-scoped."""

    api_version: Name
    kind: Name
    namespace: Name = ""
    name: Name


class ChangeV1(Frame):
    """One change that was made, and why."""

    object: ObjectV1
    action: Name
    why: Text


class InstanceReportV1(Frame):
    """How one instance fares. ``changesOmitted`` counts changes that were left out to keep the report small."""

    id: Name
    name: Name
    namespace: Name
    revision: Counter53
    state: Name
    conditions: Annotated[tuple[ConditionV1, ...], AtMost(MOST_CONDITIONS)] = ()
    components: Annotated[tuple[ComponentV1, ...], AtMost(MOST_COMPONENTS)] = ()
    changes: Annotated[tuple[ChangeV1, ...], AtMost(MOST_CHANGES)] = ()
    changes_omitted: Counter53 = 0
    observed_at: Moment


class StandingV1(Frame):
    """Which index was accepted last; 0.0 before the first."""

    epoch: Counter53
    version: Counter53


class OutboxV1(Frame):
    """What waits to be told, and how much of what class was lost because there was no room for it."""

    waiting: Counter53
    bytes: Counter53
    dropped: dict[Name, Counter53] = Field(default={}, max_length=16)


class AgentReportV1(Frame):
    """How the agent does: what it accepted last, and how many requests it made to its cluster, by verb.

    ``trustVersion``: the trust bundle that it goes by, which acknowledges that bundle.
    """

    version: Name
    cluster: Name
    standing: StandingV1
    trust_version: Counter53 | None = None
    conditions: Annotated[tuple[ConditionV1, ...], AtMost(MOST_CONDITIONS)] = ()
    requests: dict[Name, Counter53] = Field(default={}, max_length=64)
    outbox: OutboxV1 | None = None
    observed_at: Moment


class ReportV1(Frame):
    """One batch: the agent, any number of its instances, audit records as the very texts that their chain is of, and
    what became of orders.
    """

    schema_id: Literal["perigee.dev/report/v1"] = Field(default=REPORT_SCHEMA, alias="schema")
    agent: AgentReportV1
    instances: Annotated[tuple[InstanceReportV1, ...], AtMost(MAX_INSTANCES)] = ()
    audit: Annotated[tuple[RecordText, ...], AtMost(MAX_AUDIT_RECORDS)] = ()
    orders: Annotated[tuple[OrderResultV1, ...], AtMost(MAX_ORDERS)] = ()
