"""The admin API's calls about what agents trust: the chain of bundles, its epochs, and the rotation of keys."""

from __future__ import annotations

from agent.wire.limits import MAX_TRUST_BYTES
from agent.wire.strict import parse_object
from control_plane.services.accounts import Role
from control_plane.web.admin.frames import (
    BegunV1,
    EpochV1,
    FinishedV1,
    FinishWishV1,
    RotationV1,
    RotationWishV1,
    TrustV1,
)
from control_plane.web.admin.route import Answer, Call, Route


async def trust(call: Call) -> Answer:
    """What agents pin and trust, and whom rotations wait for."""
    services = call.services
    envelope = parse_object(await services.trust.envelope(), limit=MAX_TRUST_BYTES, what="trust bundle")
    rotations = tuple(
        RotationV1(kind=one.kind, version=one.version, behind=one.behind)
        for one in await services.rotations.in_progress()
    )
    return Answer(
        TrustV1(
            root_fingerprint=services.root_fingerprint,
            version=await services.trust.version(),
            rotations=rotations,
            trust_bundle=envelope,
        )
    )


async def new_epoch(call: Call) -> Answer:
    """Begin a new epoch, after a restore from backup."""
    return Answer(EpochV1(epoch=await call.services.trust.new_epoch()))


async def rotate(call: Call) -> Answer:
    """Name a new key beside the old one."""
    kind = call.read(RotationWishV1).kind
    return Answer(BegunV1(version=await call.services.rotations.begin(kind)), about=kind)


async def finish(call: Call) -> Answer:
    """Let the old keys go."""
    finished = await call.services.rotations.finish(force=call.read(FinishWishV1).force)
    return Answer(
        FinishedV1(finished=finished.kinds, left_behind=finished.left_behind), about=" ".join(finished.left_behind)
    )


ROUTES = (
    Route(method="GET", path="/trust", name="readTrust", summary="Read what agents pin and trust", tag="trust",
          needs=Role.VIEWER, handler=trust, answer=TrustV1),
    Route(method="POST", path="/trust/epoch", name="newEpoch", summary="Begin a new epoch after a restore",
          tag="trust", needs=Role.ADMIN, handler=new_epoch, answer=EpochV1, status=201, faults=(409,)),
    Route(method="POST", path="/trust/rotations", name="beginRotation", summary="Name a new key beside the old one",
          tag="trust", needs=Role.ADMIN, handler=rotate, body=RotationWishV1, answer=BegunV1, status=201,
          faults=(409,)),
    Route(method="POST", path="/trust/rotations/finish", name="finishRotations", summary="Let the old keys go",
          tag="trust", needs=Role.ADMIN, handler=finish, body=FinishWishV1, answer=FinishedV1, faults=(409,)),
)  # fmt: skip
