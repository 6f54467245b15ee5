"""What the renderer makes of any document is let through by the rules that hold always."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings

from agent.model.guard import Guard
from agent.model.instance import Instance
from agent.planning.guarding import Account, Case, judge
from agent.rendering import AgentAccount, RenderInputs, render
from tests.support.instances import instances


@given(instances)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
def test_no_document_is_refused_for_what_the_renderer_makes_of_it(instance: Instance) -> None:
    home = replace(instance, namespace=f"airflow-{instance.namespace}")
    account = AgentAccount("perigee-system", "perigee-agent")
    manifests = tuple(one.manifest for one in render(RenderInputs(home, {}, account)))
    assert judge(Case(Guard(), home, manifests, Account(account.namespace, account.name))) == ()
