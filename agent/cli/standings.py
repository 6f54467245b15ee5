"""``perigee status`` for people: one line for each instance, and the whole of one that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.console import Console, Group, RenderableType
from rich.text import Text

from agent.cli.console import ago, counted, joined, styled, table
from agent.inspection.fleet import Fleet, Found
from agent.model.conditions import Condition, Truth
from agent.model.lease import LeaseRecord
from agent.model.status import InstanceStatus
from agent.planning.fields import text
from agent.planning.leadership import age_seconds, seems_held

STYLES = {Truth.TRUE: "green", Truth.FALSE: "yellow", Truth.UNKNOWN: "magenta"}
_QUIET = frozenset({"NoFailure", "Verified", "AllKnown", "NoneHeldByOthers", "NotPaused", "NotFrozen", "NotUnlisted"})


def show(fleet: Fleet, now: datetime, console: Console, *, closely: bool) -> None:
    """The whole answer."""
    console.print(heading(fleet, now))
    console.print()
    if not fleet.found:
        console.print("no instance was accepted yet" if fleet.kept.problem is None else "no instance is recorded")
        return
    console.print(_lines(fleet))
    if closely:
        for found in fleet.found:
            console.print(Group(*_closely(found)))


def heading(fleet: Fleet, now: datetime) -> Text:
    """Whose instances these are, what was accepted last, and who leads."""
    kept = fleet.kept
    parts = [joined([Text("cluster "), styled(kept.index.cluster if kept.index else "unknown", "bold")], "")]
    if kept.standing is not None:
        parts.append(Text(f"accepted {kept.standing.epoch}.{kept.standing.version}"))
    if kept.index is not None:
        parts.append(styled(f"issued {ago((now - kept.index.issued_at).total_seconds())}"))
    parts.append(_lead(fleet.lease, now))
    line = joined(parts, "   ")
    if kept.problem is not None:
        line.append(f"\nthe accepted state is not believed: {kept.problem.explain()}", style="red")
    return line


def _lead(lease: LeaseRecord | None, now: datetime) -> Text:
    if lease is None:
        return Text("no lease", style="dim")
    age = age_seconds(lease, now)
    when = f", renewed {ago(age)}" if age is not None else ""
    if not seems_held(lease, now):
        return styled(f"nobody leads (last: {lease.holder or 'released'}, term {lease.term}{when})", "yellow")
    return styled(f"lead {lease.holder}, term {lease.term}{when}", "green")


def _lines(fleet: Fleet) -> RenderableType:
    made = table("NAME", "NAMESPACE", "STATE", "REVISION", "PODS", "OBJECTS", "CONDITION", "WHY")
    for found in fleet.found:
        made.add_row(
            styled(found.name or found.id[:8], "bold"),
            styled(found.namespace or "-"),
            styled(found.status.state if found.status is not None else "-"),
            _revision(found),
            _pods(found.status),
            _objects(found),
            joined(_words(found)),
            styled(_why(found)),
        )
    return made


def _revision(found: Found) -> Text:
    applied = str(found.inventory.revision) if found.inventory.revision else "-"
    accepted = str(found.document.entry.revision) if found.document is not None else "-"
    shown = Text(accepted) if applied == accepted else Text(f"{applied} → {accepted}", style="yellow")
    if found.ahead is not None:
        shown.append(f" ({found.ahead} is listed)", style="yellow")
    return shown


def _pods(status: InstanceStatus | None) -> Text:
    if status is None or not status.components:
        return Text("-")
    ready, desired = (sum(getattr(one, name) for one in status.components) for name in ("ready", "desired"))
    return Text(f"{ready}/{desired}", style="" if ready == desired else "yellow")


def _objects(found: Found) -> Text:
    shown = Text(str(len(found.inventory.owned)))
    differing = len(found.view.changes) if found.view is not None else 0
    for number, what, style in ((differing, "differ", "yellow"), (len(found.ceded), "left to others", "cyan")):
        if number:
            shown.append(
                f"\n{number} {what}" if what != "left to others" else f"\n{counted(number, 'field')} {what}", style
            )
    return shown


def _words(found: Found) -> Iterator[Text]:
    """What its conditions say, in as few words as tell it."""
    if found.status is None:
        yield Text("not believed" if found.refusal is not None else "only recorded", style="red")
        return
    said = {one.type: one for one in found.status.conditions}
    ready, progressing, stalled = said["Ready"], said["Progressing"], said["Stalled"]
    yield styled("Ready" if ready.status is Truth.TRUE else f"not Ready: {ready.reason}", STYLES[ready.status])
    if progressing.status is Truth.TRUE and progressing.reason != ready.reason:
        yield styled(f"Progressing: {progressing.reason}", "yellow")
    if stalled.status is Truth.TRUE and stalled.reason != ready.reason:
        yield styled(f"Stalled: {stalled.reason}", "red")
    if said["Paused"].status is Truth.TRUE:
        yield Text("paused", style="cyan")
    if said["Frozen"].status is Truth.TRUE:
        yield Text("frozen", style="cyan")
    if said["Unlisted"].status is Truth.TRUE:
        yield Text("unlisted", style="yellow")


def _why(found: Found) -> str:
    if found.refusal is not None:
        return found.refusal.message
    if found.status is None:
        return "the accepted state does not name it: it stays as it is"
    said = {one.type: one for one in found.status.conditions}
    telling = (said["Stalled"], said["Ready"], said["Progressing"])
    bad = next((one for one in telling if _is_bad(one)), None)
    return bad.message if bad is not None else ""


def _is_bad(condition: Condition) -> bool:
    wanted = Truth.TRUE if condition.type == "Ready" else Truth.FALSE
    return condition.status is not wanted and condition.reason not in {"Hibernated", "Deleted"}


def conditions(found: Found, since: dict[str, str] | None = None) -> RenderableType:
    """Every condition of one instance."""
    made = table("CONDITION", "STATUS", "REASON", *(["SINCE"] if since is not None else []), "MESSAGE")
    for one in found.status.conditions if found.status is not None else ():
        style = "dim" if one.reason in _QUIET else "red" if one.type == "Stalled" else ""
        when = [Text(since.get(one.type, "-"))] if since is not None else []
        made.add_row(one.type, Text(one.status.value), styled(one.reason), *when, styled(one.message), style=style)
    return made


def _closely(found: Found) -> Iterator[RenderableType]:
    yield Text(f"\nid {found.id}", style="dim")
    if found.status is None:
        return
    yield Text()
    made = table("COMPONENT", "PODS")
    for one in found.status.components:
        style = "" if one.ready == one.desired else "yellow"
        made.add_row(styled(one.name), Text(f"{one.ready}/{one.desired}", style=style))
    if found.status.components:
        yield made
        yield Text()
    yield conditions(found)
    yield from left_to_others(found)


def left_to_others(found: Found) -> Iterator[RenderableType]:
    """The fields that somebody else holds."""
    if not found.ceded:
        return
    yield Text()
    made = table("LEFT TO OTHERS", "FIELD", "HOLDER")
    for ref, ceded in found.ceded:
        made.add_row(styled(ref), styled(text(ceded.path)), styled(ceded.manager, "cyan"))
    yield made
