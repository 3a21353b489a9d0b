"""The tables. Documents are canonical JSON; columns beside them are what queries ask for.

Findings have no table: they are derived from packages and advisories, so a corrected advisory
corrects the past.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from suture.store.query import moment, utc

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes in, UTC on disk, aware datetimes out; a naive one is a defect."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else utc(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else moment(value)


hosts = Table(
    "hosts",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("enrolled_at", UtcDateTime, nullable=False),
)

# Each distinct package of the fleet once; package sets name them by id.
packages = Table(
    "packages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(255), nullable=False),
    Column("arch", String(64), nullable=False),
    Column("version", String(255), nullable=False),
    Column("source", String(255), nullable=False),
    Column("source_version", String(255), nullable=False),
    Column("state", String(32), nullable=False),
    Column("module", String(255), nullable=False),
    UniqueConstraint("name", "version", "arch", "source", "source_version", "state", "module"),
)

package_sets = Table(
    "package_sets",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("ids", LargeBinary, nullable=False),
)

# A host's history: one row for as long as its packages stayed the same.
observations = Table(
    "observations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("package_set", String(64), ForeignKey("package_sets.digest"), nullable=False),
    Column("seen_from", UtcDateTime, nullable=False),
    Column("seen_until", UtcDateTime, nullable=False),
    Column("release", String(255), nullable=False),
    # The places in the package set of packages that no advisory of the distribution judges.
    Column("apart", LargeBinary, nullable=False),
    Column("inventory", LargeBinary, nullable=False),
    Index("ix_observations_host_seen_until", "host", "seen_until"),
)

changelogs = Table(
    "changelogs",
    metadata,
    Column("release", String(255), primary_key=True),
    Column("source", String(255), primary_key=True),
    Column("version", String(255), primary_key=True),
    Column("since", String(255), nullable=False),
    Column("text", Text, nullable=False),
    Column("fetched_at", UtcDateTime, nullable=False),
)

# The state of each feed: where it comes from, when it was last had, what went wrong since.
feeds = Table(
    "feeds",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("document", LargeBinary, nullable=False),
)

# What feeds say, and from when until when each word of it was known: an advisory's part about one
# release, or, without a release, the enrichment of a CVE. Rows are ended and never changed.
feed_records = Table(
    "feed_records",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("feed", String(64), nullable=False),
    Column("file", String(512), nullable=False),
    Column("key", String(255), nullable=False),
    Column("release", String(255)),
    Column("digest", LargeBinary, nullable=False),
    Column("known_from", UtcDateTime, nullable=False),
    Column("known_until", UtcDateTime),
    Column("document", LargeBinary, nullable=False),
    Index("ix_feed_records_feed", "feed", "known_until"),
    Index("ix_feed_records_release", "release", "known_until"),
    Index("ix_feed_records_key", "key"),
)

# EPSS: the scores of all CVEs on one day, as arrays.
score_tables = Table(
    "score_tables",
    metadata,
    Column("day", Date, primary_key=True),
    Column("known_from", UtcDateTime, nullable=False),
    Column("model", String(64), nullable=False),
    Column("cves", LargeBinary, nullable=False),
    Column("shares", LargeBinary, nullable=False),
)

# Other scanners' reports: each file once, told by its hash, with what it says of each host.
scanner_reports = Table(
    "scanner_reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scanner", String(16), nullable=False),
    Column("name", String(255), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("imported_at", UtcDateTime, nullable=False),
    Column("seen_from", UtcDateTime),
    Column("seen_until", UtcDateTime),
    Column("summary", LargeBinary, nullable=False),
)

# A host as a report knows it; ``host`` is the enrolled one, where it is clear which.
scanner_hosts = Table(
    "scanner_hosts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("report", Integer, ForeignKey("scanner_reports.id"), nullable=False, index=True),
    Column("host", String(255), index=True),
    Column("seen_at", UtcDateTime),
    Column("ids", Text, nullable=False),
    Column("closed", LargeBinary, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

scanner_findings = Table(
    "scanner_findings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("scanner_host", Integer, ForeignKey("scanner_hosts.id"), nullable=False, index=True),
    Column("plugin", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("cves", Text, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

# Exceptions: rows are ended by a person or by their own day, and kept.
exceptions = Table(
    "exceptions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("document", LargeBinary, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("added_at", UtcDateTime, nullable=False),
    Column("removed_at", UtcDateTime),
)

plans = Table(
    "plans",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("parent", String(64)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

rehearsals = Table(
    "rehearsals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("plan", String(64), ForeignKey("plans.id"), nullable=False, index=True),
    Column("class_id", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

drills = Table(
    "drills",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("ended_at", UtcDateTime, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("plan", String(64), ForeignKey("plans.id"), nullable=False),
    Column("status", String(16), nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("asked", Boolean, nullable=False),  # whether hosts wait to go back
    Column("without_rehearsal", Boolean, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
)

# A row for each host of a rollout, so that one who finishes does not wait for another. ``phase``
# and ``attempt`` are the document's; a change names the ones that it comes from.
rollout_hosts = Table(
    "rollout_hosts",
    metadata,
    Column("rollout", String(64), ForeignKey("rollouts.id"), primary_key=True),
    Column("host", String(255), primary_key=True),
    Column("place", Integer, nullable=False),
    Column("jump", String(255), nullable=False),
    Column("phase", String(16), nullable=False, index=True),
    Column("attempt", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
)

# Controls that a rollout applied and verified, and from when until when.
controls_in_force = Table(
    "controls_in_force",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("host", String(255), nullable=False),
    Column("control", String(64), nullable=False),
    Column("rollout", String(64), ForeignKey("rollouts.id"), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Index("ix_controls_in_force_host", "host", "until"),
)

reports = Table(
    "reports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rollout", String(64), ForeignKey("rollouts.id"), nullable=False),
    Column("host", String(255), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("step", String(32), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("uq_reports_step", "rollout", "host", "attempt", "step", unique=True),
)

# What was seen of a wave before it began and while it soaked, look by look.
looks = Table(
    "looks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rollout", String(64), ForeignKey("rollouts.id"), nullable=False),
    Column("wave", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Index("uq_looks_number", "rollout", "wave", "number", unique=True),
)

signals = Table(
    "signals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rollout", String(64), ForeignKey("rollouts.id"), nullable=False, index=True),
    Column("signal", String(16), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("given_at", UtcDateTime, nullable=False),
    Column("answered_at", UtcDateTime),
    Column("answer", Text),
)

workers = Table(
    "workers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("machine", String(255), nullable=False),
    Column("pid", Integer, nullable=False),
    Column("since", Float, nullable=False),
    Column("heartbeat", Float, nullable=False),
    Column("drives", String(64), nullable=False),
    Column("jumps", Text, nullable=False),  # and labels: the places where it works
)

fences = Table(
    "fences",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("fence", Integer, nullable=False),
    Column("worker", String(64), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", String(64), nullable=False),
    Column("subject", String(255), nullable=False, index=True),
    Column("host", String(255), nullable=False),
    Column("actor", String(255), nullable=False),
    Column("data", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
)
