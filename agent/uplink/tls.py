"""TLS contexts: whom we believe, and how a private key gets into OpenSSL without ever lying on a disk.

Here: TLS 1.2 or newer, verification by given CA certificates only (never the system's). Not here: whose keys they are
(``identity``) and where the CA comes from (``enrol``).
"""

from __future__ import annotations

import os
import re
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import serialization

from agent.model.errors import Misconfigured

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class PrivateKey(Protocol):
    """A key of ``cryptography`` that can be written out."""

    def private_bytes(
        self,
        encoding: serialization.Encoding,
        format: serialization.PrivateFormat,  # noqa: A002  # the name is cryptography's
        encryption_algorithm: serialization.KeySerializationEncryption,
    ) -> bytes:
        """The key, encoded."""
        ...


def verifying(authorities: bytes, *, source: str) -> ssl.SSLContext:
    """A context that believes these CA certificates (PEM) and nobody else.

    Raises Misconfigured, naming ``source``, if there is no certificate in them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    believe(context, authorities, source=source)
    return context


def believe(context: ssl.SSLContext, authorities: bytes, *, source: str) -> None:
    """Let a context believe these CA certificates (PEM) too; raises Misconfigured like ``verifying``."""
    blocks = b"\n".join(_CERTIFICATE.findall(authorities))  # bundles carry comments, in any encoding
    try:
        context.load_verify_locations(cadata=blocks.decode("ascii"))
    except (ssl.SSLError, UnicodeDecodeError, ValueError):
        hint = "it must hold CA certificates in PEM"
        raise Misconfigured(f"{source} holds no CA certificate that can be read", hint=hint) from None


def unverified() -> ssl.SSLContext:
    """A context that believes anybody. Only for reading what proves itself, and for looking at what a server shows;
    nothing is sent.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def present(context: ssl.SSLContext, *, key: PrivateKey, chain: bytes) -> None:
    """Let a context prove who we are.

    OpenSSL takes keys from files only, so it gets one in memory; and encrypted with a password that lives as long as
    this call, in case the file is not in memory after all (no memfd) or a core dump catches its page.
    """
    password = secrets.token_bytes(32).hex()
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode("ascii")),
    )
    with _file_in_memory(encrypted + chain) as path:
        context.load_cert_chain(path, password=password)


@contextmanager
def _file_in_memory(content: bytes) -> Iterator[str]:
    """A path under which the content can be read while the block runs."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("perigee", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp(prefix="perigee-")  # created 0600
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield path
    finally:
        os.close(descriptor)
        if not path.startswith("/proc/"):
            with suppress(FileNotFoundError):
                Path(path).unlink()
