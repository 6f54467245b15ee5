"""``perigee diff`` for people: each object with its reason, and its fields as a unified diff would show them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from agent.cli.console import counted, joined, styled
from agent.inspection.comparison import Comparison
from agent.inspection.proposal import Proposal, Proposed
from agent.model.changes import Action
from agent.planning.contrast import FieldChange, Sign

_STYLES = {
    Action.CREATE: ("+", "green"),
    Action.UPDATE: ("~", "yellow"),
    Action.REPAIR: ("~", "magenta"),
    Action.SCALE: ("~", "cyan"),
    Action.DELETE: ("-", "red"),
}
_MOST_FIELDS = 40
_HIDDEN = "(value not shown)"


def show(compared: Comparison, console: Console) -> None:
    """The whole answer."""
    kept, names = compared.records.kept, compared.records.names()
    if kept.problem is not None:
        console.print(styled(f"the accepted state is not believed: {kept.problem.explain()}", "red"))
    for key, refusal in compared.refusals.items():
        console.print(styled(f"{names.get(key) or key}: not compared: {refusal.message}", "red"))
    for key, damage in compared.damages.items():
        console.print(styled(f"{names.get(key) or key}: not compared: {damage.explain()}", "red"))
    for number, proposal in enumerate(compared.proposals):
        if number:
            console.print()
        console.print(_heading(proposal))
        for line in _body(proposal):
            console.print(line)
    if not compared.proposals and kept.problem is None and not compared.refusals:
        console.print("no instance was accepted yet")


def _heading(proposal: Proposal) -> Text:
    instance, applied = proposal.document.instance, proposal.inventory.revision
    compared = proposal.document.entry.revision
    revision = f"revision {compared}" if applied == compared else f"revision {applied or '-'} → {compared}"
    given = "   the given document" if not proposal.document.entry.digest else ""
    where = instance.namespace or proposal.inventory.namespace
    return joined([styled(instance.name, "bold"), styled(where), styled(f"{revision}{given}")], "   ")


def _body(proposal: Proposal) -> Iterator[Text]:
    stage = ""
    for one in proposal.changes:
        named = one.stage.name.lower() if one.stage is not None else "afterwards"
        if named != stage:
            stage = named
            yield styled(f"  {stage}", "bold dim")
        yield from _change(one)
    for error in proposal.errors:
        yield styled(f"  ! {error.reason}: {error.explain()}", "red")
    for note in proposal.notes:
        yield styled(f"  {note}", "cyan")
    if proposal.stays:
        yield styled(f"  stays: {', '.join(proposal.stays)}", "green")
    yield styled(f"  {_total(proposal)}", "bold")


def _change(one: Proposed) -> Iterator[Text]:
    sign, style = _STYLES[one.change.action]
    action = one.way or one.change.action.value
    yield joined([styled(f"  {sign} {action:<7}", style), styled(one.change.ref, f"{style} bold")], " ")
    why = _reason(one)
    if why:
        yield styled(f"      {why}", "dim")
    if one.held:
        yield styled(f"      held back: {one.held}", "cyan")
    for field in one.fields[:_MOST_FIELDS]:
        yield from _field(field)
    if len(one.fields) > _MOST_FIELDS:
        yield styled(f"      … and {counted(len(one.fields) - _MOST_FIELDS, 'field')} more (--output json)", "dim")
    for each in one.contested:
        outcome = "left to it" if each.left else "taken back"
        yield styled(f"      ! {each.field} is held by {each.manager}: {outcome}", "cyan" if each.left else "magenta")


def _reason(one: Proposed) -> str:
    """Why it changes, without the fields that are listed anyway."""
    if one.way or not one.fields:
        return one.change.why
    return one.change.why.partition(": ")[0] if one.change.action is Action.REPAIR else ""


def _field(field: FieldChange) -> Iterator[Text]:
    if field.sign is Sign.CHANGED and field.was is None and field.becomes is None:
        yield styled(f"      ~ {field.path} {_HIDDEN}", "yellow")
        return
    if field.sign is not Sign.ADDED:
        yield styled(_valued("-", field.path, field.was), "red")
    if field.sign is not Sign.REMOVED:
        yield styled(_valued("+", field.path, field.becomes), "green")


def _valued(sign: str, path: str, value: str | None) -> str:
    return f"      {sign} {path}: {value}" if value is not None else f"      {sign} {path} {_HIDDEN}"


def _total(proposal: Proposal) -> str:
    counts = Counter(one.change.action for one in proposal.changes)
    if not counts:
        return "nothing differs" if not proposal.errors else "nothing can be done"
    return ", ".join(f"{counts[action]} to {action.value}" for action in Action if counts[action])
