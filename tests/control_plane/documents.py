"""Documents and reports as the tests need them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from agent.wire.reports import AgentReportV1, ConditionV1, InstanceReportV1, ReportV1, StandingV1
from agent.wire.strict import canonical

SALES = "5f0c3a52-7d54-4a1e-9b0e-0c8f6f5d2a11"
FINANCE = "0a6de7f4-8f0b-4c86-bd0e-3f1f7e0a9c22"


def new_id() -> str:
    return str(uuid.uuid4())


def a_document(instance_id: str = SALES, *, name: str = "sales", **spec: Any) -> bytes:
    """A document in canonical form; its namespace is its name's."""
    body = {
        "apiVersion": "perigee.dev/v1",
        "kind": "AirflowInstance",
        "metadata": {"id": instance_id, "name": name},
        "spec": {"namespace": f"airflow-{name}", "airflow": {"version": "3.3.2"}, **spec},
    }
    return canonical(body)


def a_status(at: datetime, *, instance_id: str = SALES, revision: int = 1, ready: str = "True") -> InstanceReportV1:
    condition = ConditionV1(type="Ready", status=ready, reason="AllReady", message="", since=at)
    return InstanceReportV1(
        id=instance_id,
        name="sales",
        namespace="airflow-sales",
        revision=revision,
        state="running",
        conditions=(condition,),
        observed_at=at,
    )


def a_report(at: datetime, *instances: InstanceReportV1, cluster: str = "east") -> bytes:
    agent = AgentReportV1(
        version="0.1.0", cluster=cluster, standing=StandingV1(epoch=1, version=1), requests={"get": 7}, observed_at=at
    )
    return ReportV1(agent=agent, instances=instances).to_bytes()
