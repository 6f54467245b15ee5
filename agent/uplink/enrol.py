"""How an agent without an identity gets one: once, with a one-time token, from a control plane that proves itself.

1. Whom to believe: the CA file; or, with a pinned root key only, the trust bundle that this key has signed. The bundle
   is read without verifying the server, since it proves itself and nothing is sent; its CA then verifies the server.
2. Keys are made here. The request carries the public halves, the token, and proof that both keys are ours.
3. What comes back must fit: a certificate for our key, and a trust bundle that holds.

Not here: keeping the result (``agent.cluster``), and whether to enrol at all (``agent.wiring``).
"""

from __future__ import annotations

import asyncio
from typing import Final

from pydantic import ValidationError

from agent.model.errors import AgentError, Misconfigured, Refused, Retryable
from agent.ports import Clock
from agent.settings import ClusterSettings, UplinkSettings
from agent.uplink.exchange import Call, Exchange, repeated
from agent.uplink.faults import NEW_TOKEN, Answer, from_status, never_sent
from agent.uplink.files import content_of
from agent.uplink.identity import Identity, Keys
from agent.uplink.tls import unverified, verifying
from agent.uplink.trust import first_bundle
from agent.wire.enrolment import EnrolRequestV1, EnrolResponseV1, decode_enrol_response, sealing_key_signature
from agent.wire.limits import MAX_ENROLMENT_BYTES, MAX_TRUST_BYTES
from agent.wire.scalars import encode_base64
from agent.wire.trust import TrustBundle

_ERROR: Final = 300
_HOW_TO_TRUST = "set uplink.caFile to the control plane's CA, or uplink.rootFingerprint to that of its root key"


async def enrol(
    uplink: UplinkSettings, cluster: ClusterSettings, *, clock: Clock, version: str
) -> tuple[Identity, bytes]:
    """Exchange the token for an identity; returns it with the exact bytes of the signed trust bundle.

    Raises Misconfigured (no token, no way to trust the server), NotAuthorised (the token is not accepted), Refused
    (WrongRoot, or an answer that does not fit), Unreachable.
    """
    try:
        keys, request = await _asked_for(uplink, cluster, version=version)
        answer = await _answer(uplink, request, clock=clock)
        response = decode_enrol_response(answer.body)
        bundle = first_bundle(response.trust.to_bytes(), root_fingerprint=uplink.root_fingerprint)
        return _identity(keys, response, bundle, expected=cluster.name), bundle.raw
    except AgentError as error:
        error.hint = error.hint.replace("--cluster NAME", f"--cluster {cluster.name}")
        raise


async def _answer(uplink: UplinkSettings, request: EnrolRequestV1, *, clock: Clock) -> Answer:
    """What the control plane says to the request; it has proved itself before it gets to see the token."""
    authorities, source = await _authorities(uplink, clock)
    exchange = Exchange(uplink, clock=clock, context=lambda: verifying(authorities, source=source))
    call = Call(
        "POST",
        f"{uplink.enrol_url}/v1/enroll",
        MAX_ENROLMENT_BYTES,
        body=request.to_bytes(),
        headers={"Content-Type": "application/json"},
    )
    try:
        # A token is spent by its first use, so the call is repeated only if it cannot have arrived.
        return await repeated(lambda: _success(exchange, call), if_=never_sent, clock=clock)
    finally:
        await exchange.aclose()


async def _authorities(uplink: UplinkSettings, clock: Clock) -> tuple[bytes, str]:
    """The CA certificates (PEM) that verify the server, and where they come from."""
    if uplink.ca_file is not None:
        return await asyncio.to_thread(content_of, uplink.ca_file, what="uplink.caFile"), str(uplink.ca_file)
    if uplink.root_fingerprint is None:
        raise Misconfigured("there is no way to know the control plane at enrolment", hint=_HOW_TO_TRUST)
    exchange = Exchange(uplink, clock=clock, context=unverified)
    call = Call("GET", f"{uplink.enrol_url}/v1/trust", MAX_TRUST_BYTES)
    try:
        answer = await repeated(lambda: _success(exchange, call), if_=_may_pass, clock=clock)
    finally:
        await exchange.aclose()
    bundle = first_bundle(answer.body, root_fingerprint=uplink.root_fingerprint)
    return "\n".join(bundle.ca).encode("utf-8"), "the trust bundle of the control plane"


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Retryable) and error.after_seconds is None


async def _success(exchange: Exchange, call: Call) -> Answer:
    answer = await exchange.ask(call)
    if answer.status >= _ERROR:
        raise from_status(answer)
    return answer


async def _token(uplink: UplinkSettings) -> str:
    content = await asyncio.to_thread(content_of, uplink.token_file, what="uplink.tokenFile", hint=NEW_TOKEN)
    token = content.decode("utf-8", "replace").strip()
    if not token:
        raise Misconfigured(f"the enrolment token in {uplink.token_file} is empty", hint=NEW_TOKEN)
    return token


async def _asked_for(uplink: UplinkSettings, cluster: ClusterSettings, *, version: str) -> tuple[Keys, EnrolRequestV1]:
    """New keys, and the request for a certificate for them."""
    token = await _token(uplink)
    keys = Keys.generate()
    try:
        return keys, EnrolRequestV1(
            token=token,
            csr=keys.request(cluster.name),
            sealing_key=encode_base64(keys.sealing_public),
            sealing_key_signature=sealing_key_signature(keys.identity, keys.sealing_public),
            cluster=cluster.name,
            labels=dict(cluster.labels),
            agent_version=version,
        )
    except ValidationError as error:
        wrong = ", ".join(sorted({str(one["loc"][0]) for one in error.errors(include_input=False)}))
    # Raised outside the block above: pydantic's error quotes the token.
    if "token" in wrong:
        raise Misconfigured(f"what is in {uplink.token_file} cannot be an enrolment token", hint=NEW_TOKEN)
    raise Misconfigured(f"cluster: these cannot be told to a control plane: {wrong}", hint="correct the settings")


def _identity(keys: Keys, response: EnrolResponseV1, bundle: TrustBundle, *, expected: str) -> Identity:
    if response.cluster != expected:
        message = f"the control plane enrolled us as {response.cluster}, and cluster.name is {expected}"
        raise Refused(message, path="cluster", reason="WrongCluster", hint="use the token of this cluster")
    try:
        return Identity.of(
            keys,
            chain=response.certificate_chain.encode("utf-8"),
            authorities="\n".join(bundle.ca).encode("utf-8"),
        )
    except Misconfigured as unusable:
        raise Refused(str(unusable), path="certificateChain", reason="Malformed") from None
