"""The knobs of the proxy between the agent and the control plane, and what the environment says of one.

Here: names, bounds, defaults. Not here: connecting through it (``agent.uplink``). The Kubernetes API server is never
reached through it: a kubeconfig says so by its own ``proxy-url``.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, model_validator

from agent.settings.branch import Branch
from agent.settings.noproxy import exempt


def _proxy_base(url: str) -> str:
    """The address of a proxy; never echoes the value, which may hold a password."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an http or https address, such as http://proxy.example.com:3128")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user or a password: put them into the file of uplink.proxy.credentialsFile")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must end after the port, without a path")
    host = f"[{IPv6Address(parts.hostname)}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port is not None else "")


def _listed(value: object) -> object:
    """A list, also where it was written as NO_PROXY is, with commas."""
    return [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value


def _entry(text: str) -> str:
    exempt(text)
    return text


ProxyUrl = Annotated[str, AfterValidator(_proxy_base)]
NoProxy = Annotated[tuple[Annotated[str, AfterValidator(_entry)], ...], BeforeValidator(_listed)]


class ProxySettings(Branch):
    """The proxy on the way to the control plane. Nothing else goes through it, least of all requests to Kubernetes."""

    url: ProxyUrl | None = None
    """The proxy's address, http://host:port or https://host:port. Default: none, the control plane is dialled directly.
    It is asked for a tunnel (CONNECT), so that TLS with the control plane is end to end."""
    credentials_file: Path | None = None
    """A file whose first line is user:password for the proxy. Default: none. Read at each request, so that it may
    change. Towards an http proxy they travel unencrypted."""
    no_proxy: NoProxy = ()
    """What is reached without the proxy: names with all below them, addresses, address ranges, each but ranges with
    :port if need be, or *. Default: none. As a variable: separated by commas."""
    ca_file: Path | None = None
    """CA certificates (PEM) that authenticate an https proxy, and nobody else. Default: none, which means those of the
    machine. Read again when it changes."""
    from_environment: bool = False
    """Take url from HTTPS_PROXY and noProxy from NO_PROXY where they are not set here. Default False: such variables
    are often put into every pod of a cluster, by somebody who did not think of this connection."""

    @model_validator(mode="after")
    def _used(self) -> Self:
        if self.url is None and not self.from_environment and (self.credentials_file or self.ca_file):
            raise ValueError("has a credentialsFile or a caFile and no url, so that they would have no effect")
        if self.ca_file is not None and self.url is not None and not self.url.startswith("https:"):
            raise ValueError(
                "has a caFile, which authenticates https proxies only; for a proxy that shows certificates of its own "
                "in the control plane's place it is uplink.extraCaFile"
            )
        return self


def from_environment(environ: Mapping[str, str]) -> dict[str, tuple[object, str]]:
    """What the usual variables say: knobs with the variables' names; as for curl, lower-case names come first."""
    given: dict[str, tuple[object, str]] = {}
    for path, names in _VARIABLES.items():
        name = next((name for name in names if environ.get(name)), None)
        if name is not None:
            text = environ[name].strip()
            bare = path == "uplink.proxy.url" and "://" not in text  # as many people write it
            given[path] = (f"http://{text}" if bare else text, name)
    return given


_VARIABLES: Mapping[str, tuple[str, str]] = {
    "uplink.proxy.url": ("https_proxy", "HTTPS_PROXY"),
    "uplink.proxy.noProxy": ("no_proxy", "NO_PROXY"),
}
