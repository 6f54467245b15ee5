"""The agent's own settings: one frozen tree, read once at the start, handed out in branches.

Here: the knobs with their units and consequences (``tree``), and reading them from a file and from variables
(``sources``). Not here: settings that the control plane sends along with desired state.
"""

from agent.settings.noproxy import reached_directly
from agent.settings.proxy import ProxySettings
from agent.settings.sources import DEFAULT_FILE, Resolved, Setting, effective, load, resolve
from agent.settings.tree import (
    BackoffSettings,
    ClusterSettings,
    DaemonSettings,
    LeaseSettings,
    LogSettings,
    MetricsSettings,
    ProbesSettings,
    ReconcileSettings,
    ReportSettings,
    Settings,
    SpoolSettings,
    UplinkSettings,
)

__all__ = [
    "DEFAULT_FILE",
    "BackoffSettings",
    "ClusterSettings",
    "DaemonSettings",
    "LeaseSettings",
    "LogSettings",
    "MetricsSettings",
    "ProbesSettings",
    "ProxySettings",
    "ReconcileSettings",
    "ReportSettings",
    "Resolved",
    "Setting",
    "Settings",
    "SpoolSettings",
    "UplinkSettings",
    "effective",
    "load",
    "reached_directly",
    "resolve",
]
