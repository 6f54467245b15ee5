"""A simulated Kubernetes API over HTTP, in one process and without a container.

Here: what kube-apiserver and its controllers promise to a client, as far as contracts shared with a real server pin it.
Not here: a scheduler, quota arithmetic, authorisation rules. Objects live in memory and end with the process.
"""

from sandbox.cluster.behaviours import Latencies
from sandbox.cluster.cluster import EmbeddedCluster, Tuning

__all__ = ["EmbeddedCluster", "Latencies", "Tuning"]
