"""Who we are and whom we believe at this moment: what every connection and every judgement goes by, replaced as one.

Here: the present identity and trust, and telling connections when they change. Not here: getting new ones
(``renew``), and keeping them (``agent.cluster``).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from agent.model.desired import Index, Standing
from agent.model.identity import Life
from agent.ports import Credentials, Verifier
from agent.uplink.identity import Identity
from agent.uplink.renew import Desk
from agent.uplink.tls import present, verifying
from agent.uplink.trust import Trusted
from agent.wire.index import IndexVerifier


class LiveCredentials(Credentials, Verifier):
    """Implements both ports by what is present; ``watch`` tells of each change."""

    def __init__(self, desk: Desk, identity: Identity, trusted: Trusted) -> None:
        self._desk = desk
        self._identity = identity
        self._trusted = trusted
        self._watchers: list[Callable[[], None]] = []
        self.sealing = identity.keys.sealing
        """What opens sealed values."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Call this whenever connections have to be made in another way."""
        self._watchers.append(changed)

    @property
    def life(self) -> Life:
        """When our certificate begins and ends, and whether its authority still issues."""
        return Life(self._identity.not_before, self._identity.not_after, superseded=self._superseded())

    @property
    def trust(self) -> int:
        """The version of our trust bundle."""
        return self._trusted.bundle.version

    @property
    def not_after(self) -> datetime:
        """Until when our certificate holds."""
        return self._identity.not_after

    async def next_trust(self) -> Mapping[str, bytes] | None:
        """What to keep for the next step of trust; None: we know the newest bundle."""
        following = await self._desk.next_trust(self._trusted)
        return following.to_secret() if following is not None else None

    def believe(self, content: Mapping[str, bytes]) -> None:
        """Go by this trust from now on."""
        self._trusted = Trusted.from_secret(content, root_fingerprint=None)
        self._changed()

    async def next_identity(self) -> Mapping[str, bytes]:
        """What to keep as our next identity: a new key, and the certificate that we were given for it."""
        return (await self._desk.renewed(self._identity, self._trusted)).to_secret()

    def become(self, content: Mapping[str, bytes]) -> None:
        """Be this from now on."""
        self._identity = Identity.from_secret(content)
        self.sealing = self._identity.keys.sealing
        self._changed()

    def ssl_context(self) -> ssl.SSLContext:
        """TLS as ourselves, towards whom we trust. Takes milliseconds: not for the event loop."""
        context = verifying(self._trusted.authorities, source="the trust bundle")
        present(context, key=self._identity.keys.identity, chain=self._identity.chain_pem)
        return context

    def index(self, envelope: bytes, *, now: datetime | None, newest: Standing | None) -> Index:
        """Judge an index by the present trust; one that is kept also by the trust of when it was accepted."""
        verifier = IndexVerifier(self._trusted.bundle, self._desk.cluster, former=self._trusted.former)
        return verifier.index(envelope, now=now, newest=newest)

    def _superseded(self) -> bool:
        """Whether an authority of the trust bundle, now or then, issued our certificate that is not the first there.

        Certificates that are issued by somebody else altogether are another control plane's business.
        """
        first, *others = x509.load_pem_x509_certificates(self._trusted.authorities)
        ours = self._identity.chain[0]
        return not _issued(first, ours) and any(_issued(one, ours) for one in (*others, *self._identity.authorities))

    def _changed(self) -> None:
        for changed in self._watchers:
            changed()


def _issued(authority: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
