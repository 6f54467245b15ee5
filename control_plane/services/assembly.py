"""The services put together over one database, one state directory and one clock."""

from __future__ import annotations

from dataclasses import dataclass

from control_plane.bell import Bell
from control_plane.clock import Clock
from control_plane.services.accounts import Accounts
from control_plane.services.agent_trail import AgentTrail
from control_plane.services.desired import DesiredState, Signing
from control_plane.services.membership import Issuing, Membership
from control_plane.services.ordering import Ordering
from control_plane.services.publishing import Publishing
from control_plane.services.renewal import Renewals
from control_plane.services.reporting import Reporting, Takers
from control_plane.services.rotation import Rotations
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
    state: State
    accounts: Accounts
    membership: Membership
    renewals: Renewals
    publishing: Publishing
    desired: DesiredState
    ordering: Ordering
    reporting: Reporting
    trust: TrustChain
    agent_trail: AgentTrail
    rotations: Rotations
    trail: Trail
    news: Bell
    """Rung per cluster when its index changes or its certificates are revoked."""
    told: Bell
    """Rung per cluster when a report came in."""

    @property
    def root_fingerprint(self) -> str:
        """What an agent pins."""
        return self.state.roles.root_fingerprint


def assemble(settings: Settings, state: State, *, database: Database, clock: Clock) -> Services:
    """Put the services together."""
    news, told = Bell(), Bell()
    signing, issuing = Signing(state, settings.lives.index), Issuing(state, settings.lives)
    desired = DesiredState(database, signing, clock=clock, bell=news)
    limits, trust = settings.limits, TrustChain(database, state, clock)
    agent_trail = AgentTrail(database, limits.agent_audit_rows)
    ordering = Ordering(database, desired, clock=clock, limits=limits)
    return Services(
        settings=settings,
        clock=clock,
        state=state,
        accounts=Accounts(database, clock),
        membership=Membership(database, issuing, clock=clock, bell=news),
        renewals=Renewals(database, issuing, clock),
        publishing=Publishing(database, desired, clock=clock),
        desired=desired,
        ordering=ordering,
        reporting=Reporting(database, Takers(agent_trail, ordering), clock=clock, bell=told, limits=limits),
        trust=trust,
        agent_trail=agent_trail,
        rotations=Rotations(database, trust, lives=settings.lives, clock=clock),
        trail=Trail(database, clock, Bounds(limits.audit_rows, limits.audit_stranger_rows)),
        news=news,
        told=told,
    )
