"""What there is to see: instances, conditions, pods, the last changes with their reasons, the reports that arrived."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent.model.changes import Action
from agent.model.facts import ChangeApplied, Fact, IndexAccepted, PollFailed, ReconcileFailed, ReportDelivered
from agent.wire.reports import ConditionV1, InstanceReportV1

_LAST_CHANGES = 12
MARKS = {
    Action.CREATE: "[green]+[/]",
    Action.UPDATE: "[yellow]~[/]",
    Action.REPAIR: "[magenta]≈[/]",
    Action.SCALE: "[cyan]↕[/]",
    Action.DELETE: "[red]-[/]",
}
"""What stands before a change, by what happened."""


class Board:
    """A telemetry sink that remembers what a viewer wants to see."""

    def __init__(self) -> None:
        self._changes: deque[ChangeApplied] = deque(maxlen=_LAST_CHANGES)
        self._standing = "nothing accepted yet"
        self._reports = 0
        self._applied = 0
        self._names: dict[str, str] = {}
        self.trouble = ""
        self.told: Mapping[str, InstanceReportV1] = {}
        """What the control plane knows, by instance id."""

    def call(self, instance_id: str, name: str) -> None:
        """Show this instance under its name."""
        self._names[instance_id] = name

    def emit(self, fact: Fact) -> None:
        """Take note of a fact."""
        match fact:
            case ChangeApplied():
                self._changes.append(fact)
                self._applied += 1
            case IndexAccepted():
                self._standing = f"{fact.standing.epoch}.{fact.standing.version} with {fact.documents} documents"
            case ReportDelivered():
                self._reports += 1
            case PollFailed() | ReconcileFailed():
                self.trouble = fact.message
            case _:
                pass

    def __rich__(self) -> RenderableType:
        head = Text.assemble(
            ("accepted ", "bold"), self._standing, ("   changes ", "bold"), str(self._applied),
            ("   reports arrived ", "bold"), str(self._reports),
        )  # fmt: skip
        parts: list[RenderableType] = [head, self._instances(), self._recent()]
        if self.trouble:
            parts.append(Text(f"last trouble: {self.trouble}", style="yellow"))
        return Group(*parts)

    def _instances(self) -> Table:
        table = Table(title="What the control plane was told", title_justify="left", expand=True)
        for column in ("instance", "state", "revision", "ready", "why", "pods ready"):
            table.add_column(column, overflow="fold")
        for report in sorted(self.told.values(), key=lambda report: report.name):
            condition = _condition(report, "Ready")
            pods = "  ".join(f"{one.name} {one.ready}/{one.desired}" for one in report.components)
            mark = "[green]yes[/]" if condition and condition.status == "True" else "[yellow]no[/]"
            why = condition.message or condition.reason if condition else ""
            table.add_row(report.name, report.state, str(report.revision), mark, why, pods)
        return table

    def _recent(self) -> Panel:
        lines = (
            f"{MARKS[fact.change.action]} {fact.change.ref} [dim]{fact.change.why}[/] "
            f"[dim italic]({self._names.get(fact.instance_id, fact.instance_id)})[/]"
            for fact in self._changes
        )
        return Panel("\n".join(lines) or "none yet", title="Last changes in the cluster", title_align="left")


def _condition(report: InstanceReportV1, name: str) -> ConditionV1 | None:
    return next((one for one in report.conditions if one.type == name), None)
