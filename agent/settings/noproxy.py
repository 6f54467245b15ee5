"""Who is reached without the proxy: what the entries of ``uplink.proxy.noProxy`` mean. Pure.

No two programs agree on NO_PROXY, and aiohttp and urllib know no address ranges, so the rules are our own:

    *                       everybody
    example.com             this name and every name below it; the same as .example.com and *.example.com
    10.1.2.3, fd00::1       this address, however it is written; [fd00::1] is the same
    10.0.0.0/8, fd00::/8    every address in the range
    example.com:8443        any of them but a range, at this port only; an IPv6 address then needs its brackets

Case and a final dot do not matter. Nothing is resolved: a name does not match the address that it has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
_LAST_PORT = 65535
_PORT = re.compile(r":[0-9]{1,5}")
_NAME = re.compile(r"[a-z0-9_]([-a-z0-9_.]*[a-z0-9_])?")
_BRACKETED = re.compile(r"\[(?P<address>[^\[\]]+)\](?P<rest>.*)")


@dataclass(frozen=True, slots=True)
class Exempt:
    """Whom one entry names. ``where`` None: everybody; ``port`` None: at every port."""

    where: Address | IPv4Network | IPv6Network | str | None
    port: int | None = None

    def covers(self, host: str | Address, port: int) -> bool:
        """Whether this entry names that host at that port."""
        if self.port is not None and self.port != port:
            return False
        if self.where is None:
            return True
        if isinstance(self.where, str):
            return isinstance(host, str) and (host == self.where or host.endswith(f".{self.where}"))
        if isinstance(host, str):
            return False
        return host in self.where if isinstance(self.where, IPv4Network | IPv6Network) else host == self.where


def exempt(entry: str) -> Exempt:
    """What an entry means; raises ValueError, which does not quote it, if it means nothing."""
    text = entry.strip().lower()
    if text == "*":
        return Exempt(None)
    if "/" in text:
        return Exempt(_network(text))
    host, port = _split(text)
    return Exempt(None if host == "*" else _host(host), port)


def reached_directly(host: str, port: int, entries: Iterable[str]) -> bool:
    """Whether some entry exempts this host (a name, or an address with or without brackets) at this port."""
    plain = host.lower().removeprefix("[").removesuffix("]").rstrip(".")
    target = _address(plain) or plain
    return any(exempt(entry).covers(target, port) for entry in entries)


def _network(text: str) -> IPv4Network | IPv6Network:
    address, _, length = text.partition("/")
    try:
        return ip_network(f"{address.removeprefix('[').removesuffix(']')}/{length}", strict=False)
    except ValueError:
        raise ValueError("must be address ranges such as 10.0.0.0/8, where they have a slash") from None


def _split(text: str) -> tuple[str, int | None]:
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        host, rest = bracketed["address"], bracketed["rest"]
    elif _address(text):
        return text, None
    else:
        host, colon, port = text.partition(":")
        rest = colon + port
    if not rest:
        return host, None
    number = rest.removeprefix(":")
    if _PORT.fullmatch(rest) is None or not 0 < int(number) <= _LAST_PORT:
        raise ValueError("must have a port from 1 to 65535 after a colon, and IPv6 addresses in brackets before it")
    return host, int(number)


def _host(text: str) -> Address | str:
    address = _address(text)
    if address is not None:
        return address
    name = text.rstrip(".").removeprefix("*").removeprefix(".")
    if _NAME.fullmatch(name) is None:
        raise ValueError("must be names, addresses, address ranges or *, such as example.com, 10.0.0.0/8")
    return name


def _address(text: str) -> Address | None:
    """The address that a text is, if any; an IPv4 address within IPv6 counts as the IPv4 address that it is."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
