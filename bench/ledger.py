"""What third parties count of the agent: the kernel its memory, the API server's audit log its requests.

Here: reading both. Not here: when (``life``, ``fleet``), what is expected (``targets``).
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from bench.findings import Memory, Traffic
from bench.process import AgentProcess
from sandbox.testcluster import LEASES, AuditedRequest, AuditLog, AuditMark

USER_AGENT = "perigee-agent/"
_REFUSED = 400


def memory(agent: AgentProcess) -> Memory:
    """What the agent's process holds now."""
    counted = psutil.Process(agent.pid).memory_full_info()
    return Memory(counted.rss, getattr(counted, "pss", counted.rss))


def cpu_seconds(agent: AgentProcess) -> float:
    """CPU time of the agent's process so far. The kernel counts in hundredths; what floats add to that is noise."""
    spent = psutil.Process(agent.pid).cpu_times()
    return round(spent.user + spent.system, 2)


async def traffic(log: AuditLog, since: AuditMark) -> Traffic:
    """The agent's requests since the mark."""
    requests = (await log.read(since)).by(user_agent=USER_AGENT)
    return Traffic(
        by_verb=dict(sorted(Counter(request.verb for request in requests).items())),
        writes=len(requests.writes()),
        aside=sum(map(_is_aside, requests)),
    )


def _is_aside(request: AuditedRequest) -> bool:
    return request.verb == "watch" or request.resource == LEASES


async def open_watches(log: Path, since: AuditMark) -> int | None:
    """How many watches the agent holds open of those that it began since the mark.

    None: this API server logs no beginning of a watch, as the embedded one does not.
    """
    return await asyncio.to_thread(_open_watches, log, since)


def _open_watches(log: Path, since: AuditMark) -> int | None:
    begun: dict[str, int] = Counter()
    with log.open("rb") as lines:
        lines.seek(since.offset)
        for line in lines:
            if b'"watch"' in line and USER_AGENT.encode() in line:
                event: dict[str, Any] = json.loads(line)
                refused = event.get("responseStatus", {}).get("code", 0) >= _REFUSED
                if event["verb"] == "watch" and not refused:
                    begun[event["auditID"]] += 1 if event["stage"] == "ResponseStarted" else -1
    return sum(max(0, balance) for balance in begun.values()) if any(b >= 0 for b in begun.values()) else None
