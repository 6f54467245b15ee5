"""What programs read: the answers of inspections as plain data, named as in the protocol's reports."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agent.inspection.comparison import Comparison
from agent.inspection.explanation import Explanation, ObjectAccount
from agent.inspection.fleet import Fleet, Found
from agent.inspection.proposal import Proposal, Proposed
from agent.model.conditions import Condition
from agent.model.desired import Standing
from agent.model.errors import AgentError
from agent.model.journal import Deed
from agent.model.lease import LeaseRecord
from agent.model.objects import ObjectRef, Owned
from agent.planning.fields import text
from agent.planning.leadership import age_seconds, seems_held


def of_fleet(fleet: Fleet, now: datetime) -> dict[str, Any]:
    """``perigee status``."""
    kept = fleet.kept
    return {
        "cluster": kept.index.cluster if kept.index is not None else None,
        "accepted": _standing(kept.standing),
        "issuedAt": kept.index.issued_at.isoformat() if kept.index is not None else None,
        "problem": of_error(kept.problem),
        "lead": _lead(fleet.lease, now),
        "instances": [of_found(found) for found in fleet.found],
    }


def of_found(found: Found) -> dict[str, Any]:
    """One instance."""
    status, view, refusal = found.status, found.view, found.refusal
    return {
        "id": found.id,
        "name": found.name,
        "namespace": found.namespace,
        "state": status.state if status is not None else None,
        "revision": {
            "applied": found.inventory.revision or None,
            "accepted": found.document.entry.revision if found.document is not None else None,
            "listed": found.ahead,
        },
        "refusal": {"reason": refusal.reason, "message": refusal.message} if refusal is not None else None,
        "conditions": [_condition(one) for one in status.conditions] if status is not None else [],
        "components": [
            {"name": one.name, "desired": one.desired, "ready": one.ready}
            for one in (status.components if status is not None else ())
        ],
        "objects": {
            "recorded": len(found.inventory.owned),
            "missing": [of_ref(ref) for ref in found.missing],
            "differing": [of_ref(change.ref) for change in (view.changes if view is not None else ())],
        },
        "heldByOthers": [
            {"object": of_ref(ref), "field": text(ceded.path), "manager": ceded.manager} for ref, ceded in found.ceded
        ],
        "pending": _pending(found),
    }


def of_comparison(compared: Comparison) -> dict[str, Any]:
    """``perigee diff``."""
    kept = compared.records.kept
    return {
        "accepted": _standing(kept.standing),
        "problem": of_error(kept.problem),
        "instances": [of_proposal(one) for one in compared.proposals],
        "refused": [
            {"id": key, "name": compared.records.names().get(key, ""), "reason": one.reason, "message": one.message}
            for key, one in compared.refusals.items()
        ],
        "damaged": [{"id": key, **(of_error(one) or {})} for key, one in compared.damages.items()],
    }


def of_proposal(proposal: Proposal) -> dict[str, Any]:
    """One instance of ``perigee diff``."""
    instance = proposal.document.instance
    return {
        "id": instance.id,
        "name": instance.name,
        "namespace": instance.namespace or proposal.inventory.namespace,
        "revision": {
            "applied": proposal.inventory.revision or None,
            "compared": proposal.document.entry.revision or None,
        },
        "changes": [_proposed(one) for one in proposal.changes],
        "errors": [of_error(error) for error in proposal.errors],
        "notes": list(proposal.notes),
        "stays": list(proposal.stays),
    }


def of_explanation(explained: Explanation, now: datetime) -> dict[str, Any]:
    """``perigee explain`` of an instance."""
    shown = of_found(explained.found)
    for condition in shown["conditions"]:
        since = explained.since.get(condition["type"])
        condition["since"] = since.isoformat() if since is not None else None
    return {
        **shown,
        "lead": _lead(explained.fleet.lease, now),
        "troubles": list(explained.troubles),
        "blockers": list(explained.blockers),
        "proposal": of_proposal(explained.proposal) if explained.proposal is not None else None,
        "deeds": [_deed(deed) for deed in explained.deeds],
    }


def of_account(account: ObjectAccount) -> dict[str, Any]:
    """``perigee explain`` of one object."""
    seen, owned = account.seen, account.owned or Owned(account.ref)
    return {
        "object": of_ref(account.ref),
        "stage": account.stage.name.lower() if account.stage is not None else None,
        "verdict": account.verdict,
        "uid": {"recorded": owned.uid or None, "live": seen.uid if seen is not None else None},
        "manifest": {"recorded": owned.rendered or None, "rendered": account.wanted or None},
        "ownership": {"recorded": owned.ownership or None, "live": (seen.ownership or None) if seen else None},
        "holders": [
            {
                "manager": one.manager,
                "operation": one.operation,
                "at": one.at,
                "ours": one.ours,
                "fields": [text(path) for path in one.fields],
            }
            for one in account.holdings
        ],
        "lost": [{"field": one.field, "to": one.to or None} for one in account.lost],
        "heldByOthers": [{"field": text(one.path), "manager": one.manager} for one in owned.ceded],
    }


def of_ref(ref: ObjectRef) -> dict[str, str]:
    """What names an object."""
    return {"apiVersion": ref.api_version, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}


def of_error(error: AgentError | None) -> dict[str, str] | None:
    """What is wrong."""
    return {"reason": error.reason, "message": str(error), "hint": error.hint} if error is not None else None


def _proposed(one: Proposed) -> dict[str, Any]:
    return {
        "object": of_ref(one.change.ref),
        "action": one.way or one.change.action.value,
        "why": one.change.why,
        "stage": one.stage.name.lower() if one.stage is not None else None,
        "held": one.held or None,
        "fields": [
            {"path": field.path, "change": field.sign.value, "was": field.was, "becomes": field.becomes}
            for field in one.fields
        ],
        "conflicts": [
            {"field": each.field, "manager": each.manager, "outcome": "left" if each.left else "taken back"}
            for each in one.contested
        ],
    }


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": condition.status.value,
        "reason": condition.reason,
        "message": condition.message,
    }


def _pending(found: Found) -> dict[str, Any] | None:
    if found.view is None or found.view.pending is None:
        return None
    stage, gate = found.view.pending
    waits_for = of_ref(gate.waits_for) if gate.waits_for is not None else None
    return {"stage": stage.name.lower(), "waitsFor": waits_for, "message": gate.message}


def _standing(standing: Standing | None) -> dict[str, int] | None:
    return {"epoch": standing.epoch, "version": standing.version} if standing is not None else None


def _lead(lease: LeaseRecord | None, now: datetime) -> dict[str, Any] | None:
    if lease is None:
        return None
    age = age_seconds(lease, now)
    return {
        "holder": lease.holder or None,
        "term": lease.term,
        "renewedSecondsAgo": round(age, 1) if age is not None else None,
        "held": seems_held(lease, now),
    }


def _deed(deed: Deed) -> dict[str, Any]:
    return {
        "number": deed.number,
        "at": deed.at.isoformat(),
        "term": deed.term,
        "author": deed.author,
        "action": deed.change.action.value,
        "object": of_ref(deed.change.ref),
        "why": deed.change.why,
    }
