"""Faults that hurt users of comparable systems: each has a test here that names the public thread that tells of it."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.architecture.tree import modules

THREADS = {
    "dagster-io/dagster#23484": "a restart with no change writes nothing",
    "gravitational/teleport#10296": "reconnect for ever, and not in step with the others",
    "wazuh/wazuh#38439": "neither a wrong clock nor trouble with a certificate is a reason to enrol again",
    "rancher/fleet#4267": "the proxy is the agent's own setting",
    "dagster-io/dagster#34189": "one failed call is no final state",
    "distr-sh/distr#2432": "where the record and the cluster differ, the cluster is right",
    "gravitational/teleport#9815": "replaced keys lock nobody out, awake or asleep",
    "argoproj-labs/argocd-agent#1057": "a new certificate is used without a restart",
    "kubernetes/kubernetes#25238": "replicas that an autoscaler decides are left to it",
    "rancher/fleet#4878": "drift by whichever manager is found and its maker named",
    "rancher/fleet#5406": "absence is never an order to delete",
    "argoproj/argo-cd#17440": "pruning has a limit, and namespaces go by order only",
    "argoproj-labs/argocd-agent#660": "nothing is done before the records are read",
    "argoproj-labs/argocd-agent#813": "nothing is done before everything was listed",
    "kubernetes/kubernetes#60807": "what keeps a namespace from ending is named",
    "apache/airflow#44127": "a version that is too old is listed anew",
    "argoproj-labs/argocd-agent#1026": "nothing is remembered of what is gone",
    "rancher/fleet#1465": "at rest nothing is asked of the API server",
    "kyverno/kyverno#14984": "who lost the lead writes no more",
}
"""The public threads, as owner/repository#number, and the rule that each of them gave us."""
NAMED = re.compile(r"[a-z0-9-]+/[a-z0-9.-]+#\d+")


@cache
def named_by_tests() -> frozenset[str]:
    """The threads that the docstrings of tests name."""
    docstrings = (
        ast.get_docstring(function) or ""
        for module in modules("tests")
        for function in module.functions()
        if function.name.startswith("test_")
    )
    return frozenset(thread for docstring in docstrings for thread in NAMED.findall(docstring))


@pytest.mark.parametrize("thread", THREADS)
def test_a_known_pain_has_a_test_that_names_it(thread: str) -> None:
    assert thread in named_by_tests(), f"no test's docstring names {thread}: {THREADS[thread]}"
