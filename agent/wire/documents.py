"""Asking for many documents at once, and the answer. The documents themselves are in ``document``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from agent.wire.arrays import AtMost
from agent.wire.frames import Frame, receive
from agent.wire.limits import (
    MAX_DOCUMENTS_ANSWER_BYTES,
    MAX_DOCUMENTS_PER_REQUEST,
    MAX_DOCUMENTS_REQUEST_BYTES,
)
from agent.wire.scalars import Base64, Digest, decode_base64, encode_base64
from agent.wire.strict import parse_object


class DocumentsRequestV1(Frame):
    """Which documents are wanted, by the hex SHA-256 of their bytes."""

    digests: Annotated[tuple[Digest, ...], Field(min_length=1), AtMost(MAX_DOCUMENTS_PER_REQUEST)]


class DocumentsAnswerV1(Frame):
    """Documents by digest, their exact bytes in base64. What is missing does not exist or did not fit: ask again."""

    documents: dict[Digest, Base64] = Field(max_length=MAX_DOCUMENTS_PER_REQUEST)


def decode_request(raw: bytes) -> tuple[str, ...]:
    """The digests that are asked for. Raises Refused."""
    data = parse_object(raw, limit=MAX_DOCUMENTS_REQUEST_BYTES, what="request")
    return receive(DocumentsRequestV1, data, what="request")[0].digests


def encode_answer(documents: Mapping[str, bytes]) -> bytes:
    """The answer with these documents, by digest."""
    return DocumentsAnswerV1(documents={key: encode_base64(raw) for key, raw in documents.items()}).to_bytes()


def decode_answer(raw: bytes) -> dict[str, bytes]:
    """The bytes by digest as they came; whether they have these digests, ``codec.parse_document`` judges."""
    data = parse_object(raw, limit=MAX_DOCUMENTS_ANSWER_BYTES, what="answer")
    answer, _ = receive(DocumentsAnswerV1, data, what="answer")
    return {key: decode_base64(text) for key, text in answer.documents.items()}
