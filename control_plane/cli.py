"""What the control plane adds to the ``perigee`` command; loaded from the entry-point group ``perigee.commands``."""

from __future__ import annotations

import typer

from control_plane.commands import orders  # noqa: F401 - adds its commands to the group ``instance``
from control_plane.commands.audit import audit
from control_plane.commands.instances import instance, instances
from control_plane.commands.plane import control_plane


def commands(app: typer.Typer) -> None:
    """Add ``audit``, ``control-plane``, ``instances`` and ``instance`` to the root command."""
    app.add_typer(audit)
    app.add_typer(control_plane)
    app.add_typer(instance)
    app.command("instances")(instances)
