"""Whom the agent trusts: the first trust bundle, the steps from one to the next, and how both are kept in a Secret.

A first bundle is taken for one of two reasons. Either its root key has the fingerprint that somebody pinned, whoever
delivered it; or it came over a connection (or out of a Secret) that was trusted already, and then it must still be
whole: signed by the root keys that it names. Every later one must be vouched for by the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from agent.model.errors import Misconfigured
from agent.wire.trust import TrustBundle, fingerprint, verify_first, verify_next, verify_own

BUNDLE: Final = "bundle"
_FORMER: Final = "former-"
_ROOTS: Final = "roots"
_MOST_FORMER: Final = 8
"""So many rotations of the index key an index may outlive that was accepted before them and is still kept."""


def first_bundle(envelope: bytes, *, root_fingerprint: str | None) -> TrustBundle:
    """The bundle; ``root_fingerprint`` None: its source is trusted, so that its own root key counts as pinned.

    Raises Refused: WrongRoot, BadSignature, Malformed, TooLarge, …
    """
    if root_fingerprint is None:
        return verify_own(envelope)
    return verify_first(envelope, root_fingerprint=root_fingerprint)


@dataclass(frozen=True, slots=True)
class Trusted:
    """The newest bundle that we know; ``former``: those before it that gave the index role to other keys, latest first;
    ``roots``: the fingerprints of every root key that the chain had, one of which was pinned when it began.
    """

    bundle: TrustBundle
    former: tuple[TrustBundle, ...] = ()
    roots: frozenset[str] = frozenset()

    @classmethod
    def first(cls, bundle: TrustBundle) -> Self:
        """The beginning of a chain."""
        return cls(bundle, (), _fingerprints(bundle))

    @classmethod
    def from_secret(cls, content: Mapping[str, bytes], *, root_fingerprint: str | None) -> Self:
        """What ``to_secret`` wrote. Raises Refused (WrongRoot if the pin is of no root key of the chain)."""
        if BUNDLE not in content:
            raise Misconfigured("the Secret with the agent's trust has no bundle", hint="restore it, or enrol again")
        bundle = verify_own(content[BUNDLE])
        roots = _fingerprints(bundle) | set(content.get(_ROOTS, b"").decode("utf-8").split())
        if root_fingerprint is not None and root_fingerprint not in roots:
            verify_first(content[BUNDLE], root_fingerprint=root_fingerprint)
        former = [verify_own(raw) for name, raw in content.items() if name.startswith(_FORMER)]
        return cls(bundle, tuple(sorted(former, key=lambda one: one.version, reverse=True)), roots)

    def to_secret(self) -> dict[str, bytes]:
        """The content of the Secret ``perigee-trust``: exact bytes, since signatures are over them."""
        former = {f"{_FORMER}{one.version}": one.raw for one in self.former}
        return {BUNDLE: self.bundle.raw, _ROOTS: "\n".join(sorted(self.roots)).encode("utf-8"), **former}

    def step(self, envelope: bytes) -> Trusted:
        """With the bundle that follows. Raises Refused if it does not."""
        after = verify_next(self.bundle, envelope)
        before = self.bundle
        kept = self.former if after.index == before.index else (before, *self.former)[:_MOST_FORMER]
        return Trusted(after, kept, self.roots | _fingerprints(after))

    @property
    def authorities(self) -> bytes:
        """The CA certificates that may vouch for the control plane, in PEM."""
        return "\n".join(self.bundle.ca).encode("utf-8")


def _fingerprints(bundle: TrustBundle) -> frozenset[str]:
    return frozenset(fingerprint(public) for public in bundle.root.keys.values())
