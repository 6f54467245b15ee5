"""What a test may ask of a cluster that can have faults, whichever kind it is: the embedded one, or any behind a proxy.

Here: the attributes that both share. Not here: how they come to be (``proxy``, and the embedded cluster's own package).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sandbox.faults.door import Door
from sandbox.faults.plan import FaultPlan

if TYPE_CHECKING:
    from pathlib import Path


class FaultyCluster(Protocol):
    """A running cluster with faults to switch on: a ``TestCluster`` with two attributes more."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, through the faults."""

    @property
    def server(self) -> str:
        """The URL of the API, without a slash at the end."""

    @property
    def audit_log(self) -> Path:
        """What reached the API server; a request that a fault answered did not."""

    @property
    def name(self) -> str:
        """Which cluster it is, for messages."""

    @property
    def faults(self) -> FaultPlan:
        """What goes wrong with requests and streams."""

    @property
    def door(self) -> Door:
        """What goes wrong before there is a request."""
