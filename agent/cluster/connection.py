"""How to reach the API server: from a kubeconfig or from the pod's service account; credentials stay fresh.

kubernetes-asyncio reads the configuration and refreshes tokens; the requests themselves are plain aiohttp with raw
JSON, because its generated models cost more than the request, and because its session would follow the environment's
proxies: the way to the API server never goes through the proxy for the control plane.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import kubernetes_asyncio.config as kube_config
from kubernetes_asyncio.client import Configuration
from yaml import YAMLError

from agent.model.errors import Misconfigured

_CONNECTIONS = 100
"""At once, for requests and for the watches of a whole cluster."""
_READ_BUFFER_BYTES = 2**21  # one watch event is one line, and etcd lets an object be 1.5 MiB


class Connection:
    """One API server, a session to it, and the credentials to show."""

    def __init__(self, configuration: Configuration, tls: ssl.SSLContext, *, watches: int = 0) -> None:
        self._configuration = configuration
        self.server = str(configuration.host).rstrip("/")
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS + watches, ssl=tls)
        self.session = aiohttp.ClientSession(connector=connector, trust_env=False, read_bufsize=_READ_BUFFER_BYTES)
        self.proxy: str | None = configuration.proxy

    async def headers(self) -> dict[str, str]:
        """The headers that authenticate a request, refreshed where the token has a life."""
        token = (await self._configuration.auth_settings()).get("BearerToken")
        return {"Authorization": token["value"]} if token and token["value"] else {}

    async def close(self) -> None:
        """Close the session and its connections."""
        await self.session.close()


async def connect(kubeconfig: Path | None, *, watches: int = 0) -> Connection:
    """Connect as the kubeconfig says, or as the pod's service account where none is given. ``watches``: how many will
    hold a connection each, beyond the few of a whole cluster.

    Raises Misconfigured if the kubeconfig cannot be read, or if none is given outside a pod.
    """
    # Reading files and loading certificates blocks for milliseconds: not on the event loop.
    configuration, tls = await asyncio.to_thread(_read, kubeconfig)
    return Connection(configuration, tls, watches=watches)


def _read(kubeconfig: Path | None) -> tuple[Configuration, ssl.SSLContext]:
    configuration = Configuration()
    try:
        if kubeconfig is not None:
            asyncio.run(_load(kubeconfig, configuration))
        else:
            kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        return configuration, _tls(configuration)
    except (kube_config.ConfigException, YAMLError, OSError, ValueError, KeyError, TypeError) as error:
        where = f"the kubeconfig {kubeconfig}" if kubeconfig else "the pod's service account"
        raise Misconfigured(
            f"{where} cannot be used: {error}",
            hint="set cluster.kubeconfig (or PERIGEE_CLUSTER__KUBECONFIG) to a readable kubeconfig, or run in a pod",
        ) from error


async def _load(kubeconfig: Path, configuration: Configuration) -> None:
    await kube_config.load_kube_config(
        config_file=str(kubeconfig), client_configuration=configuration, persist_config=False
    )


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, keyfile=configuration.key_file)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
