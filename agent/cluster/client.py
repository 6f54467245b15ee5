"""Requests to the API server: raw JSON in and out, counted by verb, errors translated, within a budget, writes behind a
fence.

Objects have no meaning here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp.http_exceptions import HttpProcessingError

from agent import __version__
from agent.cluster.budget import LEVEL_HEADER, Admission, Priority, RequestBudget, priority_of
from agent.cluster.connection import Connection
from agent.cluster.faults import fault_of, network_faults
from agent.cluster.fence import FencedBody, NoFence, fence_faults, is_write
from agent.model.errors import AgentError, Throttled, Unreachable
from agent.model.lease import WRITE_SECONDS
from agent.ports import Fence

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
"""Kubernetes' API concepts, "Metadata-only fetches"; a server that cannot sends the whole objects."""

_USER_AGENT = f"perigee-agent/{__version__}"
_LIST_SECONDS = 30.0
_SILENCE_SECONDS = 90.0
"""A watch that says nothing for so long may be dead: a kind that nobody writes to gets no bookmarks either."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``verb`` is Kubernetes' word for it and what it is counted under. ``seconds`` is its time limit,
    where it shall be another than usual.
    """

    verb: str
    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str = "application/json"
    accept: str = "application/json"
    seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


class Silence(Unreachable):
    """A watch that was accepted said nothing for long. It may be idle, or dead: ask again from where it stopped."""


class KubeClient:
    """Speaks to one API server. Safe for concurrent use.

    ``fence`` is asked before every write, ``budget`` before every request; ``holder`` names this replica in the API
    server's audit log.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        fence: Fence | None = None,
        budget: RequestBudget | None = None,
        holder: str = "",
        silence_seconds: float = _SILENCE_SECONDS,
    ) -> None:
        self._connection = connection
        self._silence_seconds = silence_seconds
        self._fence = fence or NoFence()
        self._user_agent = f"{_USER_AGENT} ({holder})" if holder else _USER_AGENT
        self._budget = budget
        self._counted: Counter[str] = Counter()
        self._throttled: Counter[str] = Counter()

    @property
    def server(self) -> str:
        """The API server's address."""
        return self._connection.server

    def requests(self) -> Mapping[str, int]:
        """How many requests were made since the start, by verb."""
        return dict(self._counted)

    def throttled(self) -> Mapping[str, int]:
        """How many of them were answered 429, by verb."""
        return dict(self._throttled)

    async def send(self, request: Request) -> dict[str, Any]:
        """Make one request and return the decoded answer; raises what ``faults`` makes of a refusal.

        A server that answers 429 has done nothing: within a budget the request is made once more after the pause. The
        lease is not: its holder has a rhythm of its own.
        """
        admission = await self._admitted(request)
        try:
            return await self._exchange(request, admission)
        except Throttled:
            if admission is None or admission.priority is Priority.LEASE:
                raise
        return await self._exchange(request, await self._admitted(request))

    async def _admitted(self, request: Request) -> Admission | None:
        """Wait for the budget, unless the fence is closed anyway."""
        self._fence_of(request).check()
        return await self._budget.admit(priority_of(request.method, request.path)) if self._budget else None

    async def _exchange(self, request: Request, admission: Admission | None) -> dict[str, Any]:
        body = self._body(request)
        self._counted[request.verb] += 1
        timeout = aiohttp.ClientTimeout(total=request.seconds or _usual_seconds(request))
        with fence_faults(body), network_faults(self.server):
            async with self._session_call(request, await self._headers(request), timeout, body) as response:
                raw = await response.read()
        answer = _decoded(raw)
        if response.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
            raise self._fault(request, response, answer, admission)
        if "metadata" not in answer:
            raise Unreachable(f"{request}: {self.server} answered with something that is no object of Kubernetes")
        self._taken(response, admission)
        return answer

    def _taken(self, response: aiohttp.ClientResponse, admission: Admission | None) -> None:
        if self._budget is not None and admission is not None:
            self._budget.answered(admission, level=response.headers.get(LEVEL_HEADER, ""))

    def _fault(
        self,
        request: Request,
        response: aiohttp.ClientResponse,
        answer: Mapping[str, Any],
        admission: Admission | None,
    ) -> AgentError:
        """What a refusal means; the budget learns of a 429."""
        retry_after = response.headers.get("Retry-After")
        fault = fault_of(response.status, answer=answer, subject=str(request), retry_after=retry_after)
        if isinstance(fault, Throttled):
            self._throttled[request.verb] += 1
            if self._budget is not None and admission is not None:
                level = response.headers.get(LEVEL_HEADER, "")
                self._budget.throttled(admission, level=level, after_seconds=fault.after_seconds)
        return fault

    async def watch(
        self, path: str, params: Mapping[str, str], *, accept: str = "application/json"
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The events of one watch until the server ends it; raises like ``send``, Silence, and Unreachable where what
        comes is no event, as when a proxy cuts the stream within a line.
        """
        request = Request("watch", "GET", path, {**params, "watch": "true"}, accept=accept)
        admission = await self._admitted(request)
        self._counted["watch"] += 1
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=self._silence_seconds)
        with network_faults(self.server):
            async with self._session_call(request, await self._headers(request), timeout, None) as response:
                if response.status >= 400:  # noqa: PLR2004
                    raise self._fault(request, response, _decoded(await response.read()), admission)
                self._taken(response, admission)
                try:
                    async for line in response.content:
                        yield _event(line)
                except TimeoutError as error:
                    raise Silence(f"{request}: {self.server} said nothing for {self._silence_seconds:g} s") from error
                except (ValueError, HttpProcessingError) as error:
                    raise Unreachable(f"{request}: {self.server} sent something that is no event") from error

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def _headers(self, request: Request) -> dict[str, str]:
        headers = {"User-Agent": self._user_agent, "Accept": request.accept}
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        return headers | await self._connection.headers()

    def _body(self, request: Request) -> FencedBody | None:
        """What is sent along, if anything."""
        if request.method == "GET":
            return None
        raw = b"" if request.body is None else orjson.dumps(request.body)
        return FencedBody(raw, self._fence_of(request))

    def _fence_of(self, request: Request) -> Fence:
        fenced = is_write(request.method, request.path, dry_run=request.params.get("dryRun", ""))
        return self._fence if fenced else NoFence()

    def _session_call(
        self, request: Request, headers: Mapping[str, str], timeout: aiohttp.ClientTimeout, body: FencedBody | None
    ) -> aiohttp.client._RequestContextManager:
        return self._connection.session.request(
            request.method,
            self.server + request.path,
            params=dict(request.params),
            headers=headers,
            data=body,
            timeout=timeout,
            proxy=self._connection.proxy,
        )


def _usual_seconds(request: Request) -> float:
    return _LIST_SECONDS if request.verb == "list" else WRITE_SECONDS


def _event(line: bytes) -> dict[str, Any]:
    """One event of a watch; raises ValueError where it is none."""
    event = orjson.loads(line)
    if not isinstance(event, dict) or not isinstance(event.get("object"), dict) or "type" not in event:
        raise ValueError("no event")
    if "metadata" not in event["object"]:
        raise ValueError("no object")
    return event


def _decoded(raw: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(raw)
    except ValueError:
        return {"message": raw[:200].decode(errors="replace").strip()}
    return answer if isinstance(answer, dict) else {"message": str(answer)[:200]}
