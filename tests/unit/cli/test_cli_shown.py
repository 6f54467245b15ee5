"""How answers read: nothing of what others wrote plays with the terminal, and each thing is told in its words."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from agent.cli import differences, standings
from agent.cli.console import ago, console, counted, plain, styled
from agent.inspection.comparison import Comparison
from agent.inspection.fleet import Fleet, Found, Records
from agent.inspection.kept import Kept
from agent.inspection.proposal import Contested, Proposal, Proposed
from agent.loops.guarding import Guarding
from agent.loops.passes import Policy
from agent.model.changes import Action, Change
from agent.model.desired import Refusal, Standing
from agent.model.errors import Misconfigured, Refused
from agent.model.guard import Guard
from agent.model.lease import LeaseRecord
from agent.model.objects import Ceded, Inventory, ObjectRef, Owned, Stage
from agent.planning.contrast import FieldChange, Sign
from agent.planning.health import View, status
from agent.planning.stages import Gate, Readiness
from tests.support.builders import AN_ID, a_document, an_entry

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
WEB = ObjectRef("apps/v1", "Deployment", "af-hello", "web")


def printed(show: object, *arguments: object, **named: object) -> str:
    """What a terminal of plain text would show."""
    written = io.StringIO()
    assert callable(show)
    show(*arguments, Console(file=written, width=200), **named)
    return written.getvalue()


def a_fleet(*found: Found, **changes: object) -> Fleet:
    policy = Policy("perigee-system", None, 20, guarding=Guarding.by(Guard()))
    return replace(Fleet(Kept(Standing(1, 7)), None, found, policy), **changes)  # type: ignore[arg-type]


def a_found(view: View | None = None, **changes: object) -> Found:
    document = a_document(revision=4)
    inventory = Inventory(AN_ID, "hello", "af-hello", 3, owned=(Owned(WEB, "uid"),))
    seen = view or View(document, inventory, {})
    found = Found(AN_ID, inventory, {}, document, seen, status(seen, NOW))
    return replace(found, **changes)  # type: ignore[arg-type]


def test_control_characters_of_others_are_shown_and_not_obeyed() -> None:
    hostile = "pod\x1b[2J\x1b]0;owned\x07\r[red]x[/red]"
    assert "\x1b" not in plain(hostile)
    assert "[red]x[/red]" in printed(lambda made: made.print(styled(hostile)))
    assert "\x1b" not in printed(lambda made: made.print(styled(hostile)))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(2, "2 s ago"), (90, "2 min ago"), (7200, "2 h ago"), (86400 * 3, "3 days ago")],
)
def test_ages_are_told_in_one_unit(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_numbers_have_their_words() -> None:
    assert (counted(1, "field"), counted(2, "field")) == ("1 field", "2 fields")


def test_where_nobody_looks_lines_are_not_folded_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    assert console().width == 200


def test_revisions_tell_what_is_applied_accepted_and_listed() -> None:
    said = printed(lambda made: standings.show(a_fleet(a_found(ahead=5)), NOW, made, closely=False))
    assert "3 → 4 (5 is listed)" in said


def test_what_it_waits_for_is_told_with_the_stage() -> None:
    gate = Gate(Readiness.WAITING, WEB, "Deployment af-hello/web: 0 of 1 pods are ready")
    view = View(a_document(), Inventory(AN_ID), {}, pending=(Stage.COMPONENTS, gate))
    said = printed(lambda made: standings.show(a_fleet(a_found(view)), NOW, made, closely=False))
    assert "not Ready: RollingOut" in said
    assert "0 of 1 pods are ready" in said


def test_what_is_left_to_others_is_counted_and_listed() -> None:
    owned = Owned(WEB, "uid", ceded=(Ceded("keda", ("f:spec", "f:replicas")),))
    view = View(a_document(), Inventory(AN_ID, "hello", "af-hello", 1, owned=(owned,)), {})
    found = a_found(view, inventory=view.inventory)
    said = printed(lambda made: standings.show(a_fleet(found), NOW, made, closely=True))
    assert "1 field left to others" in said
    assert ".spec.replicas" in said
    assert "keda" in said


def a_lease(holder: str, seconds_ago: float) -> LeaseRecord:
    return LeaseRecord(holder, 10, 3, None, NOW - timedelta(seconds=seconds_ago))


@pytest.mark.parametrize(
    ("lease", "words"),
    [
        (None, "no lease"),
        (a_lease("agent-0", 2), "lead agent-0, term 3, renewed 2 s ago"),
        (a_lease("agent-0", 7200), "nobody leads (last: agent-0, term 3, renewed 2 h ago)"),
        (a_lease("", 0), "nobody leads (last: released, term 3, renewed 0 s ago)"),
    ],
)
def test_who_leads_is_told(lease: LeaseRecord | None, words: str) -> None:
    assert words in standings.heading(a_fleet(lease=lease), NOW).plain


def test_what_is_not_believed_says_why() -> None:
    problem = Refused("is signed by nobody", reason="BadSignature", hint="ask who")
    refusal = Refusal(an_entry(b"x"), "Lost", "its document was deleted")
    found = a_found(document=None, view=None, status=None, refusal=refusal)
    said = printed(lambda made: standings.show(a_fleet(found, kept=Kept(problem=problem)), NOW, made, closely=True))
    assert "the accepted state is not believed: is signed by nobody. ask who." in said
    assert "not believed" in said
    assert "its document was deleted" in said


def compared(*changes: Proposed, **more: object) -> Comparison:
    proposal = Proposal(a_document(revision=2), Inventory(AN_ID, revision=1), changes)
    return Comparison(Records(Kept()), (replace(proposal, **more),))  # type: ignore[arg-type]


def test_a_change_shows_its_fields_as_a_diff_does() -> None:
    fields = (
        FieldChange("spec.replicas", Sign.CHANGED, "1", "2"),
        FieldChange("data.KEY", Sign.CHANGED),
        FieldChange("data.NEW", Sign.ADDED),
        FieldChange("data.OLD", Sign.REMOVED),
    )
    said = printed(
        differences.show, compared(Proposed(Change(WEB, Action.UPDATE, "x: 1 → 2"), Stage.COMPONENTS, fields))
    )
    assert [line.rstrip() for line in said.splitlines()] == [
        "hello   af-hello   revision 1 → 2",
        "  components",
        "  ~ update  Deployment af-hello/web",
        "      - spec.replicas: 1",
        "      + spec.replicas: 2",
        "      ~ data.KEY (value not shown)",
        "      + data.NEW (value not shown)",
        "      - data.OLD (value not shown)",
        "  1 to update",
    ]


def test_reasons_conflicts_and_what_holds_it_back_stand_beside_the_object() -> None:
    one = Proposed(
        Change(WEB, Action.UPDATE, "spec.selector cannot change: it is made again"),
        contested=(Contested(".spec.replicas", "keda", left=True), Contested(".spec.paused", "ann", left=False)),
        way="replace",
        held="its maintenance window never opens",
    )
    said = printed(differences.show, compared(one, notes=("the document says paused",), stays=("keys",)))
    for line in (
        "~ replace Deployment af-hello/web",
        "spec.selector cannot change: it is made again",
        "held back: its maintenance window never opens",
        "! .spec.replicas is held by keda: left to it",
        "! .spec.paused is held by ann: taken back",
        "the document says paused",
        "stays: keys",
    ):
        assert line in said


def test_so_many_fields_that_nobody_reads_them_are_cut() -> None:
    fields = tuple(FieldChange(f"data.K{number}", Sign.CHANGED) for number in range(45))
    said = printed(differences.show, compared(Proposed(Change(WEB, Action.REPAIR, "why: fields"), fields=fields)))
    assert "and 5 fields more (--output json)" in said
    assert "why: fields" not in said


def test_what_cannot_be_compared_is_named() -> None:
    records = Records(Kept(problem=Misconfigured("there is no trust bundle")))
    refusals = {AN_ID: Refusal(an_entry(b"x"), "Lost", "its document was altered")}
    said = printed(differences.show, Comparison(records, (), refusals, {"other": Misconfigured("unreadable")}))
    assert "there is no trust bundle" in said
    assert f"{AN_ID}: not compared: its document was altered" in said
    assert "other: not compared: unreadable" in said


def test_nothing_is_told_as_nothing() -> None:
    assert "nothing differs" in printed(differences.show, compared())
    assert "nothing can be done" in printed(differences.show, compared(errors=(Refused("no"),)))
    assert "no instance was accepted yet" in printed(differences.show, Comparison(Records(Kept())))
