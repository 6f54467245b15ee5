"""``perigee explain`` for people: the story of an instance, and of one of its objects."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, RenderableType
from rich.text import Text

from agent.cli.console import ago, joined, styled, table
from agent.cli.standings import conditions, heading, left_to_others
from agent.inspection.explanation import Explanation, ObjectAccount
from agent.inspection.proposal import Proposal
from agent.model.journal import Deed
from agent.model.objects import Owned
from agent.planning.fields import text
from agent.planning.provenance import folded

_LAST_DEEDS = 15
_MOST_FIELDS = 12


def show(explained: Explanation, now: datetime, console: Console) -> None:
    """The instance."""
    found = explained.found
    document = found.document
    applied, accepted = found.inventory.revision or "-", document.entry.revision if document is not None else "-"
    console.print(heading(explained.fleet, now))
    console.print(
        joined(
            [
                Text(""),
                joined(
                    [styled(found.name or found.id, "bold"), styled(found.namespace), styled(found.id, "dim")], "   "
                ),
                Text(f"revision {applied} is applied, {accepted} is accepted, {len(found.inventory.owned)} objects"),
                Text(""),
            ]
        )
    )
    for part in _parts(explained, now):
        console.print(part)


def show_object(account: ObjectAccount, console: Console) -> None:
    """One object."""
    owned, seen = account.owned or Owned(account.ref), account.seen
    stage = f"stage {account.stage.name.lower()}" if account.stage is not None else "of no stage"
    console.print(joined([styled(account.ref, "bold"), styled(stage, "dim"), styled(account.verdict)], "   "))
    console.print()
    made = table("", "RECORDED", "NOW", "")
    live_uid, live_owned = (seen.uid, seen.ownership) if seen is not None else ("", "")
    for name, recorded, present in (
        ("uid", owned.uid, live_uid),
        ("manifest", owned.rendered, account.wanted),
        ("our fields", owned.ownership, live_owned),
    ):
        same = Text("same", style="green") if recorded == present else Text("differs", style="yellow")
        made.add_row(name, styled(recorded[:36] or "-"), styled(present[:36] or "-"), same)
    console.print(made)
    console.print()
    console.print(_holders(account))
    for one in account.lost:
        gone = f"is held by {one.to} now" if one.to else "is held by nobody now"
        console.print(styled(f"{one.field} was ours and {gone}", "magenta"))
    for ceded in owned.ceded:
        console.print(styled(f"{text(ceded.path)} is left to {ceded.manager}", "cyan"))


def _holders(account: ObjectAccount) -> RenderableType:
    made = table("HOLDER", "BY", "AT", "FIELDS")
    for one in account.holdings:
        made.add_row(
            styled(one.manager, "green" if one.ours else "cyan"),
            styled(one.operation),
            styled(one.at or "-"),
            styled("\n".join(folded(one.fields, _MOST_FIELDS)) or "-"),
        )
    return made


def _parts(explained: Explanation, now: datetime) -> Iterator[RenderableType]:
    found = explained.found
    if found.refusal is not None:
        yield styled(f"its document is not believed: {found.refusal.message}", "red")
    if found.ahead is not None:
        yield styled(
            f"revision {found.ahead} is listed and not in force: it was refused, or did not come yet", "yellow"
        )
    if found.status is not None:
        since = {claim: ago((now - moment).total_seconds()) for claim, moment in explained.since.items()}
        yield conditions(found, since)
    yield from _waiting(explained)
    yield from left_to_others(found)
    if explained.proposal is not None:
        yield from _next(explained.proposal)
    yield from _deeds(explained.deeds, now)


def _waiting(explained: Explanation) -> Iterator[RenderableType]:
    view = explained.found.view
    if view is not None and view.pending is not None:
        stage, gate = view.pending
        yield Text()
        yield styled(f"waits in stage {stage.name.lower()}: {gate.message}", "yellow")
    for trouble in explained.troubles:
        yield styled(f"  pod {trouble}", "yellow")
    for blocker in explained.blockers:
        yield styled(f"  namespace: {blocker}", "yellow")


def _next(proposal: Proposal) -> Iterator[RenderableType]:
    """What would be done now, in short; `perigee diff` has the fields."""
    if not proposal.changes and not proposal.errors and not proposal.notes:
        return
    yield Text()
    made = table("NOW", "OBJECT", "WHY")
    for one in proposal.changes:
        why = f"{one.change.why} (held back: {one.held})" if one.held else one.change.why
        made.add_row(one.way or one.change.action.value, styled(one.change.ref), styled(why))
    if proposal.changes:
        yield made
    for error in proposal.errors:
        yield styled(f"in the way: {error.reason}: {error.explain()}", "red")
    for note in proposal.notes:
        yield styled(note, "cyan")


def _deeds(deeds: tuple[Deed, ...], now: datetime) -> Iterator[RenderableType]:
    yield Text()
    if not deeds:
        yield Text("nothing of it was ever deleted or scaled by an agent", style="dim")
        return
    made = table("DONE", "BY", "TERM", "DEED", "OBJECT", "WHY")
    for deed in deeds[-_LAST_DEEDS:]:
        change = deed.change
        when = ago((now - deed.at).total_seconds())
        made.add_row(
            when, styled(deed.author), str(deed.term), change.action.value, styled(change.ref), styled(change.why)
        )
    yield made
