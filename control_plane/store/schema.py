"""The tables, as SQLAlchemy Core sees them. Moments are microseconds since 1970, in UTC: they sort."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, kept as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Into the database."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Out of the database."""
        return None if value is None else _EPOCH + value * _MICROSECOND


METADATA = MetaData()

# One row: the version of the schema that this database has.
SCHEMA_VERSION = Table("schema_version", METADATA, Column("version", Integer, nullable=False))

CLUSTERS = Table(
    "clusters",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("sealing_key", String, nullable=False, default=""),
    Column("sealing_key_signature", String, nullable=False, default="", server_default=""),
    Column("certificate", String, nullable=False, default="", server_default=""),
    Column("created_at", Moment, nullable=False),
    Column("enrolled_at", Moment),
    Column("seen_at", Moment),
    Column("agent", JSON),
    Column("agent_observed_at", Moment),
    Column("told_with", String(64), nullable=False, server_default=""),
)

CERTIFICATES = Table(
    "certificates",
    METADATA,
    Column("serial", String(64), primary_key=True),
    Column("cluster", ForeignKey("clusters.name"), nullable=False, index=True),
    Column("not_before", Moment, nullable=False),
    Column("not_after", Moment, nullable=False),
    Column("revoked_at", Moment),
    Column("keyid", String(64), nullable=False, server_default=""),
    Column("authority", String, nullable=False, server_default=""),
    Column("chain", String, nullable=False, server_default=""),
)

TOKENS = Table(
    "tokens",
    METADATA,
    Column("id", String(12), primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("cluster", ForeignKey("clusters.name"), nullable=False),
    Column("labels", JSON, nullable=False),
    Column("created_by", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("revoked_at", Moment),
)

DOCUMENTS = Table(
    "documents",
    METADATA,
    Column("digest", String(64), primary_key=True),
    Column("size", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

INSTANCES = Table(
    "instances",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("cluster", ForeignKey("clusters.name"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("namespace", String, nullable=False),
    Column("state", String(16), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

REVISIONS = Table(
    "revisions",
    METADATA,
    Column("instance", ForeignKey("instances.id"), primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("digest", ForeignKey("documents.digest"), nullable=False, index=True),
    Column("action", String(16), nullable=False),
    Column("restored", Integer),
    Column("author", String, nullable=False),
    Column("at", Moment, nullable=False),
)

INDEXES = Table(
    "indexes",
    METADATA,
    Column("cluster", ForeignKey("clusters.name"), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("version", Integer, nullable=False),
    Column("issued_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("keyid", String(64), nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

BUNDLES = Table(
    "bundles",
    METADATA,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
)

STREAMS = Table(
    "streams",
    METADATA,
    Column("cluster", ForeignKey("clusters.name"), primary_key=True),
    Column("stream", String, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("seen_at", Moment, nullable=False),
)

STATUSES = Table(
    "statuses",
    METADATA,
    Column("cluster", ForeignKey("clusters.name"), primary_key=True),
    Column("instance", String(36), primary_key=True),
    Column("observed_at", Moment, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("body", JSON, nullable=False),
)

STATUS_HISTORY = Table(
    "status_history",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("cluster", ForeignKey("clusters.name"), nullable=False),
    Column("instance", String(36), nullable=False),
    Column("observed_at", Moment, nullable=False),
    Column("body", JSON, nullable=False),
    Index("status_history_of_instance", "cluster", "instance", "id"),
)

ORDERS = Table(
    "orders",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("cluster", ForeignKey("clusters.name"), nullable=False),
    Column("instance", ForeignKey("instances.id"), nullable=False),
    Column("kind", String(63), nullable=False),
    Column("args", JSON, nullable=False),
    Column("author", String, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("not_after", Moment, nullable=False),
    Column("outcome", String(63)),
    Column("reason", String(63)),
    Column("message", String),
    Column("ended_at", Moment),
    Index("orders_of_instance", "cluster", "instance", "created_at"),
)

USERS = Table(
    "users",
    METADATA,
    Column("name", String(63), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("token_id", String(12), nullable=False, unique=True),
    Column("hash", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("rotated_at", Moment, nullable=False),
)

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("listener", String(16), nullable=False),
    Column("who", String, nullable=False),
    Column("role", String(16), nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", String, nullable=False),
    Column("object", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("remote", String, nullable=False),
)

# What agents tell of their own doing: the exact texts, since the chain is of their digests.
AGENT_AUDIT = Table(
    "agent_audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("cluster", ForeignKey("clusters.name"), nullable=False),
    Column("chain", String, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("text", String, nullable=False),
    Column("fault", String, nullable=False),
    Index("agent_audit_place", "cluster", "chain", "number", unique=True),
    Index("agent_audit_of_cluster", "cluster", "id"),
)
