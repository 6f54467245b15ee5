"""Figures are made of measurements as the documentation says, and judged against their limits."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from bench.findings import Findings, Fleet, Memory, Pair, Row, Soak, Unmeasured
from bench.plot import draw_memory
from bench.scale import PARTS
from bench.targets import TARGETS, Verdict, judge
from bench.venues import REAL, SOAK

MIB = 2**20


def verdicts(findings: Findings) -> dict[str, Verdict]:
    return {verdict.target.id: verdict for verdict in judge(findings, REAL, parts=PARTS)}


def test_nothing_measured_is_neither_reached_nor_missed() -> None:
    assert {(verdict.value, verdict.reached) for verdict in verdicts(Findings()).values()} == {(None, None)}


def test_every_target_belongs_to_a_part_of_the_run() -> None:
    assert {target.part for target in TARGETS} <= set(PARTS)
    assert len({target.id for target in TARGETS}) == len(TARGETS)


def test_first_apply_is_the_median_of_pairs() -> None:
    findings = Findings()
    findings.pairs[REAL] = [Pair(agent, 100, 0.001, 40) for agent in (10, 85, 90)]
    judged = verdicts(findings)["firstApply"]
    assert (judged.value, judged.reached) == (0.85, True)


@pytest.mark.parametrize(("seconds", "reached"), [(0.199, True), (0.2, False)])
def test_a_limit_below_is_not_reached_at_the_limit(seconds: float, *, reached: bool) -> None:
    findings = Findings()
    findings.add(Row.AMONG, REAL, [seconds])
    assert verdicts(findings)["amongP50"].reached is reached


def test_kubectl_is_so_many_times_slower() -> None:
    findings = Findings()
    findings.add(Row.FIRST_AGENT, REAL, [0.1])
    findings.add(Row.FIRST_KUBECTL, REAL, [0.45, 0.5, 0.55])
    judged = verdicts(findings)["kubectlMakes"]
    assert judged.value == pytest.approx(5)
    assert judged.ratio == pytest.approx(1)


def test_what_bare_requests_would_reach_stands_beside_it() -> None:
    findings = Findings()
    findings.add(Row.FIRST_AGENT, REAL, [0.2])
    findings.add(Row.FIRST_RAW, REAL, [0.1])
    findings.add(Row.FIRST_KUBECTL, REAL, [0.4])
    judged = verdicts(findings)["kubectlMakes"]
    assert judged.value == pytest.approx(2)
    assert judged.bare == pytest.approx(4)
    assert verdicts(findings)["firstApply"].bare is None


def test_a_further_instance_costs_what_the_second_half_took() -> None:
    memory = {5: Memory(100 * MIB, 0), 50: Memory(110 * MIB, 0), 100: Memory(115 * MIB, 0)}
    assert Fleet(100, 1, 1.0, memory).bytes_per_instance == 0.1 * MIB
    assert Fleet(5, 0, 0.0, {5: Memory(1, 1)}).bytes_per_instance is None


def test_growth_compares_the_last_quarter_of_changes_with_the_first() -> None:
    samples = [(0, 1), (1, 100), (25, 100), (50, 500), (76, 110), (100, 110)]
    soak = Soak(100, 10.0, samples)
    assert soak.growth == pytest.approx(0.1)
    findings = Findings()
    findings.soaks[SOAK] = soak
    assert verdicts(findings)["soak"].reached is False


def measured(failing: str) -> float:
    if failing:
        raise Unmeasured(failing)
    return 1.0


def test_a_row_that_fails_says_why_and_the_rest_goes_on() -> None:
    findings = Findings()
    for row, failing in ((Row.AMONG, "the server\nwas away"), (Row.IN_SYNC, "")):
        with findings.trying(row.name, REAL):
            findings.add(row, REAL, [measured(failing)])
    assert findings.latencies.keys() == {(Row.IN_SYNC, REAL)}
    assert findings.unmeasured == {("AMONG", REAL): "was away"}


def test_the_memory_is_drawn_with_its_words() -> None:
    picture = ET.fromstring(draw_memory(Soak(100, 10.0, [(1, 100 * MIB), (100, 105 * MIB)])))
    assert picture.findtext("{http://www.w3.org/2000/svg}desc") == (
        "100 changes: median 100.0 MiB in the first quarter, 105.0 MiB in the last, +5.0%"
    )
