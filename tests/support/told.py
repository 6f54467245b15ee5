"""Reports as an agent makes them, from statuses at once; and the control plane's way to read them."""

from __future__ import annotations

from collections.abc import Sequence

from agent.model.spool import Letter
from agent.model.status import AgentStatus, InstanceStatus
from agent.wire.telling import WireReports

WIRE = WireReports()


def a_report_of(agent: AgentStatus, instances: Sequence[InstanceStatus] = (), letters: Sequence[Letter] = ()) -> bytes:
    """The report of these statuses, and of further letters."""
    return WIRE.report(agent=agent, letters=[*map(WIRE.status, instances), *letters])
