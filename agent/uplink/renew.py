"""How an agent gets what follows what it has: the next trust bundle, and the next certificate for a key of its own.

Both come from the enrolment listener, which asks for no client certificate: ours may have expired. A bundle proves
itself by the one before, so it may be read from whoever answers, and nothing is sent. A renewal is sent only to a
server that our trust vouches for. Not here: when (``agent.loops.rotate``), and keeping the result
(``agent.cluster``).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from agent.model.errors import Misconfigured, Missing, Refused, Retryable
from agent.ports import Clock
from agent.settings import UplinkSettings
from agent.uplink.exchange import Call, Exchange, repeated
from agent.uplink.faults import Answer, ServerNotVerified, from_status
from agent.uplink.identity import Identity, Keys
from agent.uplink.tls import unverified, verifying
from agent.uplink.trust import Trusted
from agent.wire.limits import MAX_ENROLMENT_BYTES, MAX_TRUST_BYTES
from agent.wire.renewal import RenewRequestV1, RenewResponseV1, decode_renew_response, renew_request

_ERROR = 300


@dataclass(frozen=True, slots=True)
class Desk:
    """The enrolment listener, as an agent meets it that belongs already. ``cluster`` and ``version`` are its own."""

    settings: UplinkSettings
    clock: Clock
    cluster: str
    version: str

    async def next_trust(self, trusted: Trusted) -> Trusted | None:
        """The trust that follows; None if there is none yet. Raises Refused, or Retryable where nobody answers."""
        call = Call("GET", f"{self.settings.enrol_url}/v1/trust?version={trusted.bundle.version + 1}", MAX_TRUST_BYTES)
        try:
            answer = await self._read(call, _context(trusted))
        except ServerNotVerified:
            answer = await self._read(call, unverified)
        return trusted.step(answer.body) if answer is not None else None

    async def renewed(self, identity: Identity, trusted: Trusted) -> Identity:
        """An identity with a new key and its certificate; the sealing key stays, since values are sealed to it.

        Raises NotAuthorised (revoked, expired too long ago), Refused (an answer that does not fit), Retryable.
        """
        keys = Keys(ec.generate_private_key(ec.SECP256R1()), identity.keys.sealing)
        request = RenewRequestV1(
            csr=keys.request(self.cluster), certificate=identity.certificate_pem, agent_version=self.version
        )
        call = Call(
            "POST",
            f"{self.settings.enrol_url}/v1/renew",
            MAX_ENROLMENT_BYTES,
            body=renew_request(request, identity=identity.keys.identity),
            headers={"Content-Type": "application/json"},
        )
        # The same request again is answered with the same certificate: an answer that got lost costs nothing.
        answer = await self._answer(call, _context(trusted))
        return _identity(keys, decode_renew_response(answer.body), trusted, expected=self.cluster)

    async def _read(self, call: Call, context: Callable[[], ssl.SSLContext]) -> Answer | None:
        try:
            return await self._answer(call, context)
        except Missing:
            return None

    async def _answer(self, call: Call, context: Callable[[], ssl.SSLContext]) -> Answer:
        exchange = Exchange(self.settings, clock=self.clock, context=context)

        async def once() -> Answer:
            answer = await exchange.ask(call)
            if answer.status >= _ERROR:
                raise from_status(answer)
            return answer

        try:
            return await repeated(once, if_=_may_pass, clock=self.clock)
        finally:
            await exchange.aclose()


def _context(trusted: Trusted) -> Callable[[], ssl.SSLContext]:
    return lambda: verifying(trusted.authorities, source="the trust bundle")


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Retryable) and error.after_seconds is None and not isinstance(error, ServerNotVerified)


def _identity(keys: Keys, response: RenewResponseV1, trusted: Trusted, *, expected: str) -> Identity:
    if response.cluster != expected:
        message = f"the control plane renewed us as {response.cluster}, and cluster.name is {expected}"
        raise Refused(message, path="cluster", reason="WrongCluster", hint="this is another agent's identity")
    try:
        return Identity.of(keys, chain=response.certificate_chain.encode("utf-8"), authorities=trusted.authorities)
    except Misconfigured as unusable:
        raise Refused(str(unusable), path="certificateChain", reason="Malformed") from None
