"""The services put together over one database, one state directory and one clock."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.bell import Bell
from control_plane.clock import Clock
from control_plane.services.accounts import Accounts
from control_plane.services.agent_trail import AgentTrail
from control_plane.services.desired import DesiredState, Signing
from control_plane.services.membership import Issuing, Membership
from control_plane.services.publishing import Publishing
from control_plane.services.reporting import Reporting
from control_plane.services.trail import Trail
from control_plane.services.trust import TrustChain
from control_plane.settings import Settings
from control_plane.state import State
from control_plane.store.audit import Bounds
from control_plane.store.database import Database


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a listener may call."""

    settings: Settings
    clock: Clock
    root_fingerprint: str
    accounts: Accounts
    membership: Membership
    publishing: Publishing
    desired: DesiredState
    reporting: Reporting
    trust: TrustChain
    agent_trail: AgentTrail
    trail: Trail
    news: Bell
    """Rung per cluster when its index changes or its certificates are revoked."""
    told: Bell
    """Rung per cluster when a report came in."""


def assemble(settings: Settings, state: State, *, database: Database, clock: Clock) -> Services:
    """Put the services together."""
    news, told = Bell(), Bell()
    signing = Signing(state.roles, settings.lives.index)
    desired = DesiredState(database, signing, clock=clock, bell=news)
    limits = settings.limits
    agent_trail = AgentTrail(database, limits.agent_audit_rows)
    return Services(
        settings=settings,
        clock=clock,
        root_fingerprint=state.roles.root_fingerprint,
        accounts=Accounts(database, clock),
        membership=Membership(database, Issuing(state.authority, settings.lives), clock=clock, bell=news),
        publishing=Publishing(database, desired, clock=clock),
        desired=desired,
        reporting=Reporting(database, agent_trail, clock=clock, bell=told, limits=limits),
        trust=TrustChain(database, state, clock),
        agent_trail=agent_trail,
        trail=Trail(database, clock, Bounds(limits.audit_rows, limits.audit_stranger_rows)),
        news=news,
        told=told,
    )
