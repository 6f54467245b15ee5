"""A real Kubernetes on one machine, without Docker: for the tests that a simulation must not decide.

`find_programs(read_environment())` says with which programs; `async with RealCluster(programs) as cluster` runs them.
"""

from sandbox.realcluster.cluster import RealCluster
from sandbox.realcluster.environment import Environment, read_environment
from sandbox.realcluster.faults import ProgramsMissing, TestClusterError
from sandbox.realcluster.programs import Programs, find_programs

__all__ = [
    "Environment",
    "Programs",
    "ProgramsMissing",
    "RealCluster",
    "TestClusterError",
    "find_programs",
    "read_environment",
]
