"""Who may do what in an instance's namespace: its own accounts nothing, the agent what its ClusterRole says."""

from __future__ import annotations

import dataclasses

from agent.model.instance import ADOPTABLE
from agent.model.objects import Rendered, Stage
from agent.rendering import AgentAccount, render
from tests.support.instances import ID, an_instance, inputs, manifests, of_kind

ACCOUNT = AgentAccount("perigee-system", "perigee-agent")


def opened() -> list[Rendered]:
    return list(render(dataclasses.replace(inputs(an_instance()), account=ACCOUNT)))


def test_the_agent_binds_its_own_rights_where_an_account_is_given() -> None:
    (binding,) = (each for each in opened() if each.ref.kind == "RoleBinding")
    assert binding.stage is Stage.NAMESPACE
    assert (binding.ref.name, binding.ref.namespace) == ("perigee-agent", "airflow-sales")
    assert binding.manifest["metadata"]["labels"]["perigee.dev/instance"] == ID
    assert binding.manifest["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "perigee-instance",
    }
    assert binding.manifest["subjects"] == [
        {"kind": "ServiceAccount", "namespace": "perigee-system", "name": "perigee-agent"}
    ]


def test_the_rights_come_right_after_the_namespace_and_before_what_needs_them() -> None:
    assert [each.ref.kind for each in opened()][:2] == ["Namespace", "RoleBinding"]


def test_nothing_else_changes_and_without_an_account_nothing_is_bound() -> None:
    without = manifests(an_instance())
    assert [each.manifest for each in opened() if each.ref.kind != "RoleBinding"] == without
    assert not of_kind(without, "RoleBinding", "Role")


def test_of_a_namespace_that_was_given_neither_it_nor_the_rights_in_it_are_rendered() -> None:
    given = [each.manifest for each in render(dataclasses.replace(inputs(an_instance()), given=True))]
    assert given == [each for each in manifests(an_instance()) if each["kind"] != "Namespace"]


def test_the_kinds_that_may_be_adopted_are_those_that_an_instance_consists_of() -> None:
    assert {each.ref.kind for each in opened()} == ADOPTABLE


def test_no_pod_has_an_account_with_a_token() -> None:
    accounts = of_kind(manifests(an_instance()), "ServiceAccount")
    assert len(accounts) > 1
    assert not any(each["automountServiceAccountToken"] for each in accounts)
