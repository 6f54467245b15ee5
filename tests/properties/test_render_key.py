"""The key by which rendering is skipped changes exactly when what is rendered changes.

Each field of the inputs is changed in turn. Were a change to show in the objects and not in the key, it would never be
applied; were it to show in the key alone, a change without effect would render the whole fleet.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.model.errors import Refused
from agent.model.instance import EmbeddedService, Generate, Instance, Sealed, SecretRef, State
from agent.model.secrets import wants
from agent.rendering import AgentAccount, RenderInputs, digest, render, scaled
from tests.support.instances import RESOURCES, WINDOW, an_airflow, an_instance, checksums, inputs, instances, labels
from tests.support.variants import variants

WITHOUT_EFFECT = {
    "instance.airflow.secret_env.form": "decides how a value is made",
    "instance.airflow.secret_env.key": "decides where a value comes from, and only its checksum shows",
    "instance.airflow.secret_env.length": "decides how a value is made",
    "instance.airflow.secret_env.name": "decides where a value comes from",
    "instance.airflow.secret_env.namespace": "decides where a value comes from",
    "instance.airflow.secret_env.text": "decides where a value comes from",
    "instance.adopt": "decides which strange objects may be taken over",
    "instance.maintenance": "decides when something is written",
    "instance.paused": "decides whether anything is written, not what",
    "instance.retain": "decides what a tombstone leaves",
}
"""The fields that change no object, each with what it does instead. A new field is either seen in the objects or named
here: nobody gets past the test below without having decided."""

restarts = st.dictionaries(st.sampled_from(["scheduler", "worker", "database", "migration", "flower"]), st.just("then"))
accounts = st.none() | st.builds(AgentAccount, labels, labels)


@st.composite
def render_inputs(draw: st.DrawFn) -> RenderInputs:
    instance = draw(instances)
    known = draw(st.sets(st.sampled_from(sorted(checksums(instance)))))
    keys = {name: text for name, text in checksums(instance).items() if name in known}
    secrets = {want.path: draw(st.sampled_from(["one", "other"])) for want in wants(instance)}
    return RenderInputs(instance, keys, draw(accounts), secrets, draw(restarts))


def outcome(inputs: RenderInputs) -> str:
    """Everything that follows from the inputs, byte by byte."""
    numbers = [(str(ref), number) for ref, number in scaled(inputs).items()]
    return json.dumps([[(each.stage, each.manifest) for each in render(inputs)], numbers])


def full() -> RenderInputs:
    """Inputs in which every field has something in it that could show."""
    service = EmbeddedService("localhost/service:1", 999, "1Gi", "fast", RESOURCES)
    secret_env = {"A": SecretRef("theirs", "a", "shared"), "B": Sealed("v1"), "C": Generate("password", 40)}
    airflow = an_airflow(
        pull_secrets=("one",), config={"core": {"parallelism": "1"}}, env={"TZ": "UTC"}, secret_env=secret_env
    )
    instance = an_instance(labels={"a": "b"}, airflow=airflow, database=service, broker=service, maintenance=(WINDOW,))
    secrets = {want.path: "a checksum" for want in wants(instance)}
    account, restarted = AgentAccount("perigee-system", "perigee-agent"), {"scheduler": "2026-01-31T12:00:00Z"}
    return RenderInputs(instance, checksums(instance), account, secrets, restarted)


def effects(inputs: RenderInputs) -> dict[str, tuple[bool, bool]]:
    """Of each single change that can be rendered: whether the objects are others, and whether the key is."""
    found, before, key = {}, outcome(inputs), digest(inputs)
    for one in variants(RenderInputs, inputs):
        try:
            found[one.place] = (outcome(one.value) != before, digest(one.value) != key)
        except Refused:
            continue
    return found


@given(render_inputs())
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
def test_the_key_changes_exactly_with_the_objects(inputs: RenderInputs) -> None:
    judged = effects(inputs)
    assert len(judged) > len(dataclasses.fields(Instance))
    assert {place: (objects, key) for place, (objects, key) in judged.items() if objects != key} == {}


@given(render_inputs())
@settings(max_examples=5, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_of_a_deleted_instance_matters(inputs: RenderInputs) -> None:
    deleted = dataclasses.replace(inputs, instance=dataclasses.replace(inputs.instance, state=State.DELETED))
    awakened = {"instance.state.to running", "instance.state.to hibernated"}
    assert {place for place, seen in effects(deleted).items() if any(seen)} == awakened


def test_every_field_shows_or_is_known_to_have_no_effect() -> None:
    inputs = full()
    shows: dict[str, bool] = defaultdict(bool)
    before = outcome(inputs)
    for one in variants(RenderInputs, inputs):
        try:
            shows[one.fields] |= outcome(one.value) != before
        except Refused:
            shows[one.fields] |= False
    silent = {path for path, shown in shows.items() if not shown}
    declared = {path for path in shows if any(f"{path}.".startswith(f"{known}.") for known in WITHOUT_EFFECT)}
    assert silent == declared
    assert {path.split(".")[1] for path in shows if path.startswith("instance.")} == {
        each.name for each in dataclasses.fields(Instance)
    }


def test_the_walk_reaches_every_leaf() -> None:
    """A change that the walk forgot would be a change that nobody tried."""
    reached = {one.fields for one in variants(RenderInputs, full())}
    wanted: set[str] = {"key_checksums", "account.namespace", "account.name", "instance.airflow.config"}
    wanted |= {f"instance.database.resources.{kind}" for kind in ("requests", "limits")}
    wanted |= {f"instance.workers.{name}" for name in ("name", "replicas", "scaling", "resources.limits")}
    assert wanted <= reached


def test_settings_that_change_nothing_are_not_in_the_key() -> None:
    """A few that are easy to get wrong: written out defaults, and what only a pod needs that does not run."""
    plain, asleep = an_instance(), an_instance(state=State.HIBERNATED)
    equal: list[tuple[RenderInputs, RenderInputs]] = [
        (inputs(plain), inputs(an_instance(airflow=an_airflow(config={"core": {"load_examples": "False"}})))),
        (inputs(plain), inputs(an_instance(airflow=an_airflow(config={"core": {}})))),
        (inputs(plain), inputs(plain, unknown="other")),
        (inputs(asleep), inputs(asleep, admin_password="other")),
    ]
    for one, other in equal:
        assert outcome(one) == outcome(other)
        assert digest(one) == digest(other)
    assert digest(inputs(plain)) != digest(inputs(plain, admin_password="other"))
