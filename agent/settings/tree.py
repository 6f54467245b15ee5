"""Every knob of the agent: what it is, its unit, its default, and what happens when it is turned.

Here: names, bounds and defaults. Not here: where values come from (``sources``). In YAML the names are camelCase; as a
variable ``uplink.agentsUrl`` is ``PERIGEE_UPLINK__AGENTS_URL``. No knob holds a secret: secrets are named by file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from agent.model.lease import WRITE_SECONDS
from agent.settings.branch import Branch
from agent.settings.proxy import ProxySettings

Seconds = Annotated[float, Field(gt=0, le=86400)]
Port = Annotated[int, Field(ge=0, le=65535)]
Count = Annotated[int, Field(ge=1)]


def _written_as(pattern: str, words: str) -> AfterValidator:
    """A check of the whole text that says in words, not in a regular expression, what it wants."""

    def check(text: str) -> str:
        if re.fullmatch(pattern, text) is None:
            raise ValueError(f"must be {words}")
        return text

    return AfterValidator(check)


_WORD = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
# A cluster's name becomes a certificate's subject and a label's value, so it keeps to what both allow (RFC 1123).
Name = Annotated[
    str,
    _written_as(
        "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?",
        "1 to 63 lower-case letters, digits or '-', beginning and ending with a letter or digit",
    ),
]
LabelKey = Annotated[
    str,
    _written_as(
        f"([a-z0-9]([-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_WORD}", "a Kubernetes label's key, as in example.com/region"
    ),
]
LabelValue = Annotated[
    str, _written_as(f"({_WORD})?", "a Kubernetes label's value: at most 63 letters, digits, '-', '_' or '.'")
]
OrderKind = Annotated[str, _written_as("[a-z][A-Za-z0-9-]{0,62}", "the name of a kind of order, such as restart")]
# People copy fingerprints from many places: capitals and the colons that openssl prints between bytes are welcome.
Fingerprint = Annotated[
    str,
    _written_as("(?i:sha256:)?([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}", "sha256: and 64 hexadecimal digits"),
    AfterValidator(lambda text: "sha256:" + text.lower().removeprefix("sha256:").replace(":", "")),
]


def _https_base(url: str) -> str:
    """An https address of host and port; never echoes the value, which may hold a password."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise ValueError("must be an https address, such as https://perigee.example.com:8443")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user or a password")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("must end after the port, without a path")
    host = f"[{IPv6Address(parts.hostname)}]" if ":" in parts.hostname else parts.hostname
    return f"https://{host}" + (f":{parts.port}" if parts.port is not None else "")


BaseUrl = Annotated[str, AfterValidator(_https_base)]


class ClusterSettings(Branch):
    """Which cluster this is, and how to reach its API server."""

    name: Name
    """The cluster's name at the control plane; the enrolment token is bound to it. Required."""
    labels: Mapping[LabelKey, LabelValue] = {}
    """Labels told to the control plane at enrolment, for choosing clusters. Default: none. As a variable: JSON."""
    kubeconfig: Path | None = None
    """A kubeconfig file. Default: none, which means the pod's own ServiceAccount."""
    namespace: Name = "perigee-system"
    """The agent's own namespace: its lease, identity, accepted state and inventories live there. Another name starts
    from nothing: the agent enrols again and adopts what its labels show."""
    service_account: Name | None = None
    """The agent's own ServiceAccount; when set, the agent binds ClusterRole perigee-instance to it in each instance's
    namespace. Default: none, for an agent that runs with rights over the whole cluster already."""
    namespaces: Annotated[tuple[Name, ...], Field(max_length=50)] = ()
    """The only namespaces that instances may have, at most 50: each is there already, with the agent's rights in it,
    and holds one instance. 11 kinds are watched in each. Default: none, which means that the agent makes a namespace
    for each instance, and watches 14 kinds in the whole cluster. As a variable: JSON."""
    requests_per_second: Annotated[float, Field(ge=1, le=10000)] = 1000
    """The most requests per second to the API server. Default 1000, more than a small API server can take: where it
    answers 429, the agent is content with less by itself. Lower spares one that does not say so, and large changes take
    longer."""
    request_burst: Annotated[int, Field(ge=1, le=100000)] = 1000
    """How many requests may come at once after a quiet time. Default 1000."""

    @model_validator(mode="after")
    def _pooled(self) -> Self:
        if len(set(self.namespaces)) < len(self.namespaces):
            raise ValueError("namespaces names one of them twice")
        if self.namespace in self.namespaces:
            raise ValueError(f"namespaces must not hold {self.namespace}, which is the agent's own")
        if self.namespaces and self.service_account is not None:
            raise ValueError(
                "serviceAccount has no use with namespaces: there, the agent's rights are bound by whoever made them"
            )
        return self


class LeaseSettings(Branch):
    """The lease under which one of several replicas works while the others stand by."""

    duration_seconds: Annotated[int, Field(ge=5, le=3600)] = 10
    """After how long without a renewal another replica takes over. Default 10 s. Longer bears longer outages of the API
    server without a change of leaders, and a leader that died is replaced later."""
    renew_deadline_seconds: Annotated[float, Field(gt=0, le=3600)] = 6
    """How long after its last renewal the leader may still begin to write. Default 6 s. What lies between this and
    durationSeconds must be longer than a write may take."""
    retry_seconds: Annotated[float, Field(ge=0.1, le=600)] = 2
    """How often the lease is renewed, or tried for. Default 2 s; less bears more failures and asks more of
    the API server."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.duration_seconds - self.renew_deadline_seconds <= WRITE_SECONDS:
            raise ValueError(
                f"durationSeconds must be more than {WRITE_SECONDS} s longer than renewDeadlineSeconds: so long may a "
                "write take that began at the last moment, and it must be over before another replica leads"
            )
        if self.renew_deadline_seconds < 2 * self.retry_seconds:
            raise ValueError(
                "renewDeadlineSeconds must be at least twice retrySeconds, or one failure ends the leadership"
            )
        return self


class UplinkSettings(Branch):
    """The outbound connection to the control plane."""

    agents_url: BaseUrl
    """Where the control plane serves agents over mutual TLS. Required."""
    enrol_url: BaseUrl
    """Where the control plane enrols agents, renews certificates and shows its trust bundle. Required."""
    ca_file: Path | None = None
    """CA certificates (PEM) that authenticate the control plane at enrolment. Default: none. Needed only until the
    agent has enrolled; either this or rootFingerprint must be set by then."""
    root_fingerprint: Fingerprint | None = None
    """SHA-256 of the control plane's root key, instead of caFile: the trust bundle read at enrolment must be signed by
    the root with this fingerprint. Default: none."""
    extra_ca_file: Path | None = None
    """Further CA certificates (PEM) that may vouch for the control plane, beside those of its trust bundle: for one
    behind a public CA, or for a proxy that may open TLS. Default: none. Read again when it changes. Whoever holds such
    a CA can pose as the control plane, and still cannot change what is signed."""
    token_file: Path = Path("/etc/perigee/enrolment/token")
    """The file that holds the one-time enrolment token. Read once, only while there is no identity in the cluster."""
    poll_wait_seconds: Annotated[float, Field(ge=0, le=60)] = 50
    """How long one poll may wait at the control plane for news. Default 50 s, below the 60 s after which most proxies
    cut an idle connection and which protocol v1 allows at most; the agent asks for less by itself when polls are cut.
    0: answer at once, so that news waits for the next poll."""
    connect_timeout_seconds: Seconds = 10
    """Limit for connecting, TLS included. Default 10 s."""
    request_timeout_seconds: Seconds = 30
    """Limit for one whole request, beyond the wait of a poll. Default 30 s. Too short: large documents never arrive."""
    proxy: ProxySettings = ProxySettings()
    """The proxy on the way there, if any."""


class BackoffSettings(Branch):
    """How long to wait before something that failed is tried again; doubles from min to max, with jitter."""

    min_seconds: Seconds = 1
    """The first wait. Default 1 s."""
    max_seconds: Seconds = 300
    """The longest wait. Default 300 s; longer spares the API server, and repairs come later."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max_seconds < self.min_seconds:
            raise ValueError("maxSeconds must not be smaller than minSeconds")
        return self


class ReconcileSettings(Branch):
    """How instances are brought to what they shall be."""

    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """How many instances are worked on at once. Default 4; more means more requests at the same time."""
    resync_seconds: Annotated[float, Field(ge=10, le=86400)] = 600
    """How often each instance is looked at without an event, in what the watches have told. Default 600 s; costs no
    request."""
    survey_seconds: Annotated[float, Field(ge=10, le=86400)] = 3600
    """How often the metadata of each instance's Secrets and ConfigMaps is listed, which no watch covers. Default
    3600 s: so long drift of them may go unnoticed. Costs two requests per instance."""
    compare_seconds: Annotated[float, Field(ge=60, le=604800)] = 86400
    """How often each instance is compared in full, by applies that are not carried out: this finds values that were
    changed without taking a field over. Default 86400 s, a day. Costs one request per object."""
    prune_limit: Annotated[int, Field(ge=1, le=1000)] = 20
    """The most objects that one pass may delete because a document no longer wants them. Default 20; a document that
    drops more deletes none, and the instance says so."""
    roll_limit: Annotated[int, Field(ge=1, le=1000)] = 1
    """How many instances a new version of the agent may roll at once, where it renders their pods otherwise. Default
    1: an instance that does not become ready again stops the others."""
    backoff: BackoffSettings = BackoffSettings()
    """Waits between attempts at one instance that failed."""


class SecretSettings(Branch):
    """Secret values that documents name by ``secretRef``."""

    namespaces: tuple[Name, ...] = ()
    """Namespaces beside its own from whose labelled Secrets an instance may take values. Default: none. As a variable:
    JSON. The agent's account needs the right to get Secrets there, which no role of ours gives."""
    seconds: Annotated[float, Field(ge=10, le=86400)] = 300
    """How often the Secrets that documents refer to are read again. Default 300 s: so long a changed value may take to
    reach the pods, which then roll. Costs one request per Secret, of instances that have such values only."""


class OrderSettings(Branch):
    """What may be ordered once, beside what documents ask for."""

    allow: tuple[OrderKind, ...] | None = None
    """The kinds of orders that are carried out here. Default: none, which means every kind that the agent knows; an
    empty list allows nothing. Others are refused as OrderNotAllowed. As a variable: JSON."""


class ReportSettings(Branch):
    """What is told to the control plane, and how often."""

    seconds: Annotated[float, Field(ge=1, le=3600)] = 15
    """How often statuses are reported. Default 15 s. Changes wait at most this long to be seen."""
    batch_limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """The most statuses and audit records in one request. Default 100."""


class SpoolSettings(Branch):
    """Where what waits to be told is kept while the control plane is away, and how much of it."""

    directory: Annotated[Path | None, BeforeValidator(lambda given: given or None)] = Path("/var/lib/perigee")
    """A directory of this replica's own, on a volume that outlives the container. Default /var/lib/perigee. null or
    empty: in memory only, so that a restart loses what was not told yet. One that cannot be used is no reason to stop:
    the agent goes on in memory and says so in the condition OutboxDegraded."""
    max_bytes: Annotated[int, Field(ge=1024**2, le=1024**4)] | None = None
    """The most bytes kept. Default: 70 % of the volume, at most 1 GiB; in memory at most 64 MiB. When full, an
    instance's older statuses give way to its newest, and audit records go last of all; what is dropped is counted."""


class ProbesSettings(Branch):
    """Where the kubelet asks how the agent does."""

    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"  # noqa: S104  # the kubelet dials the pod's address
    """The address to listen on. Default: every IPv4 address of the pod."""
    port: Port = 8081
    """The TCP port. Default 8081; 0 picks a free one."""
    stale_seconds: Annotated[float, Field(ge=10, le=86400)] = 300
    """After how long without an accepted answer from the control plane the agent counts as not ready. Default 300 s.
    Only readiness is touched: liveness does not depend on the control plane, and instances run on."""


class MetricsSettings(Branch):
    """Where Prometheus scrapes."""

    host: Annotated[str, Field(min_length=1)] = "0.0.0.0"  # noqa: S104  # Prometheus dials the pod's address
    """The address to listen on. Default: every IPv4 address of the pod."""
    port: Port = 8080
    """The TCP port. Default 8080; 0 picks a free one."""


class DaemonSettings(Branch):
    """The life of the process."""

    grace_seconds: Annotated[float, Field(ge=0, le=3600)] = 20
    """How long loops may finish their present step after SIGTERM. Default 20 s; keep it below the pod's
    terminationGracePeriodSeconds, or the kubelet ends the process first."""


class LogSettings(Branch):
    """The agent's own log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written. Default info; debug adds one line per poll and per pass."""
    format: Literal["json", "text"] = "json"
    """json: one object per line. text: for people at a terminal. Default json."""


class Settings(Branch):
    """All knobs of the agent."""

    cluster: ClusterSettings
    """Which cluster this is."""
    uplink: UplinkSettings
    """The connection to the control plane."""
    lease: LeaseSettings = LeaseSettings()
    """One replica works, the others stand by."""
    reconcile: ReconcileSettings = ReconcileSettings()
    """Bringing instances to what they shall be."""
    secrets: SecretSettings = SecretSettings()
    """Secret values by reference."""
    orders: OrderSettings = OrderSettings()
    """What may be ordered."""
    report: ReportSettings = ReportSettings()
    """Telling the control plane."""
    spool: SpoolSettings = SpoolSettings()
    """What waits to be told."""
    probes: ProbesSettings = ProbesSettings()
    """Liveness and readiness."""
    metrics: MetricsSettings = MetricsSettings()
    """Prometheus metrics."""
    daemon: DaemonSettings = DaemonSettings()
    """The life of the process."""
    log: LogSettings = LogSettings()
    """The agent's own log."""
