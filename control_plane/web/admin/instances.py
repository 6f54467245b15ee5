"""The admin API's calls about instances: apply, delete, history, rollback, unlist, status."""

from __future__ import annotations

from agent.model.instance import Retain
from agent.wire.document import AirflowInstanceV1
from agent.wire.problems import Code
from control_plane.faults import Fault
from control_plane.services.accounts import Role
from control_plane.services.publishing import Published, Target
from control_plane.store.instances import InstanceRow
from control_plane.web.admin.frames import (
    DeleteV1,
    HistoryV1,
    InstanceDocumentV1,
    InstancesOfV1,
    InstancesV1,
    InstanceV1,
    PastStatusV1,
    PublishedV1,
    RevisionV1,
    RollbackV1,
    StatusV1,
)
from control_plane.web.admin.route import Answer, Call, Route

_ONE = "/clusters/{cluster}/instances/{instance}"
_STATUSES_SHOWN = 20
_NOTHING = "none"


async def every(call: Call) -> Answer:
    """Instances of one cluster, or of all."""
    rows = await call.services.publishing.instances(call.asked(InstancesOfV1).cluster)
    return Answer(InstancesV1(instances=tuple(_instance(row) for row in rows)))


async def read(call: Call) -> Answer:
    """One instance with its document."""
    view = await call.services.publishing.instance(call.path["cluster"], call.path["instance"])
    frame = InstanceDocumentV1(instance=_instance(view.instance), digest=view.digest, document=view.document)
    return Answer(frame, revision=view.instance.revision)


async def apply(call: Call) -> Answer:
    """Make the document in the body the next revision."""
    return _published(await call.services.publishing.apply(_target(call), call.raw))


async def delete(call: Call) -> Answer:
    """Write a tombstone."""
    named = call.asked(DeleteV1).retain
    if _NOTHING in named and len(named) > 1:
        raise Fault(Code.MALFORMED, "is either none or what is retained, not both", path="retain")
    retain = [thing for thing in named if isinstance(thing, Retain)] if named else None
    return _published(await call.services.publishing.delete(_target(call), retain=retain))


async def history(call: Call) -> Answer:
    """Every revision."""
    rows = await call.services.publishing.history(call.path["cluster"], call.path["instance"])
    revisions = (
        RevisionV1(
            revision=row.revision,
            digest=row.digest,
            action=row.action,
            author=row.author,
            at=row.at,
            restored=row.restored,
        )
        for row in rows
    )
    return Answer(HistoryV1(revisions=tuple(revisions)))


async def rollback(call: Call) -> Answer:
    """Make an older revision the next one."""
    wanted = call.read(RollbackV1).revision
    return _published(await call.services.publishing.rollback(_target(call), revision=wanted))


async def unlist(call: Call) -> Answer:
    """Take it off the index without deleting it."""
    return _published(await call.services.publishing.unlist(_target(call)))


async def status(call: Call) -> Answer:
    """How it fares, as its agent told last."""
    cluster, instance = call.path["cluster"], call.path["instance"]
    view = await call.services.publishing.instance(cluster, instance)
    told = await call.services.reporting.status(cluster, instance)
    past = await call.services.reporting.history(cluster, instance, limit=_STATUSES_SHOWN)
    last = told.report if told else None
    frame = StatusV1(
        instance=_instance(view.instance),
        applied=last is not None and last.revision == view.instance.revision,
        received_at=told.received_at if told else None,
        status=last,
        history=tuple(PastStatusV1(observed_at=one.observed_at, status=one.report) for one in past),
    )
    return Answer(frame)


def _target(call: Call) -> Target:
    return Target(
        cluster=call.path["cluster"],
        instance=call.path["instance"],
        author=call.caller.name,
        expected=call.expected_revision(),
    )


def _published(published: Published) -> Answer:
    frame = PublishedV1(
        instance=_instance(published.instance),
        digest=published.digest,
        changed=published.changed,
        unknown_fields=published.unknown_fields,
    )
    return Answer(frame, revision=published.instance.revision)


def _instance(row: InstanceRow) -> InstanceV1:
    return InstanceV1(
        id=row.id,
        cluster=row.cluster,
        name=row.name,
        namespace=row.namespace,
        state=row.state,
        revision=row.revision,
        listed=row.listed,
        updated_at=row.updated_at,
    )


ROUTES = (
    Route(method="GET", path="/instances", name="listInstances", summary="List instances", tag="instances",
          needs=Role.VIEWER, handler=every, query=InstancesOfV1, answer=InstancesV1, faults=(404,)),
    Route(method="GET", path=_ONE, name="readInstance", summary="Read an instance and its document", tag="instances",
          needs=Role.VIEWER, handler=read, answer=InstanceDocumentV1, faults=(404,)),
    Route(method="PUT", path=_ONE, name="applyInstance", summary="Apply a document as the next revision",
          tag="instances", needs=Role.OPERATOR, handler=apply, body=AirflowInstanceV1, answer=PublishedV1,
          conditional=True, faults=(404, 409, 412, 413, 422)),
    Route(method="DELETE", path=_ONE, name="deleteInstance", summary="Delete an instance by a tombstone",
          tag="instances", needs=Role.OPERATOR, handler=delete, query=DeleteV1, answer=PublishedV1,
          conditional=True, faults=(404, 409, 412)),
    Route(method="GET", path=f"{_ONE}/history", name="instanceHistory", summary="List an instance's revisions",
          tag="instances", needs=Role.VIEWER, handler=history, answer=HistoryV1, faults=(404,)),
    Route(method="POST", path=f"{_ONE}/rollback", name="rollbackInstance", summary="Bring an older revision back",
          tag="instances", needs=Role.OPERATOR, handler=rollback, body=RollbackV1, answer=PublishedV1,
          conditional=True, faults=(404, 409, 412, 422)),
    Route(method="POST", path=f"{_ONE}/unlist", name="unlistInstance", summary="Stop managing without deleting",
          tag="instances", needs=Role.OPERATOR, handler=unlist, answer=PublishedV1, conditional=True,
          faults=(404, 412)),
    Route(method="GET", path=f"{_ONE}/status", name="instanceStatus", summary="Tell how an instance fares",
          tag="instances", needs=Role.VIEWER, handler=status, answer=StatusV1, faults=(404,)),
)  # fmt: skip
