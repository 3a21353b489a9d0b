"""Feeds and changelogs together, with what is known about each vulnerability."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.core.intelligence.enrichment import CvssScore, Enrichment, Epss, KnownExploited
from suture.core.intelligence.epss import ScoreTable
from suture.core.policy import Policy
from suture.services.assessing import assess
from suture.services.knowledge import Knowledge, known_about
from suture.store import changelogs, feeds, records, scores
from suture.store.database import Store, open_store
from suture.store.knowledge import FeedState, StoredChangelog
from tests.unit.core.builders import host, inventory, package

NOW = datetime(2026, 8, 16, tzinfo=UTC)
CVE = "CVE-2026-0001"
ADVISORY = Advisory(
    "DSA-1",
    "debian",
    (CVE,),
    (Affected("debian:12", "nginx", FixState.FIXED, "2"),),
    severity=Severity.LOW,
)
CHANGELOG = StoredChangelog(
    "debian:12",
    "nginx",
    "3",
    "1",
    f"nginx (3) stable; urgency=high\n\n  * Fix {CVE}.\n\n"
    " -- A <a@b>  Mon, 10 Aug 2026 10:00:00 +0000\n",
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    yield opened
    opened.close()


def save(store: Store, feed: str, *found: Advisory | Enrichment, at: datetime = NOW) -> None:
    with store.begin() as connection:
        rows = [row for one in found for row in records.rows(one)]
        records.apply(connection, feed, "all", rows, at)


def known(store: Store, known_at: datetime | None = None) -> Knowledge:
    return known_about(store, {"debian:12"}, now=NOW, known_at=known_at)


def test_the_publisher_s_word_goes_before_the_changelog_s(store: Store) -> None:
    with store.begin() as connection:
        changelogs.save(connection, [CHANGELOG], NOW)
    assert known(store).index.rules("debian:12", "nginx")[CVE][0].publisher == "changelog"
    save(store, "debian-dsa", ADVISORY)
    (rule,) = known(store).index.rules("debian:12", "nginx")[CVE]
    assert (rule.publisher, rule.fixed) == ("debian", "2")


def test_what_was_known_then_can_be_asked(store: Store) -> None:
    save(store, "debian-dsa", ADVISORY, at=NOW)
    assert known(store, NOW - timedelta(days=1)).index.rules("debian:12", "nginx") == {}
    assert CVE in known(store, NOW).index.rules("debian:12", "nginx")


def test_each_source_says_its_part(store: Store) -> None:
    save(store, "cve", Enrichment(CVE, scores=(CvssScore("3.1", "", 5.0, "cna"),), cwe=("CWE-20",)))
    save(store, "nvd", Enrichment(CVE, scores=(CvssScore("3.1", "", 9.8, "nvd"),)))
    save(store, "cisa-kev", Enrichment(CVE, kev=KnownExploited(date(2026, 8, 1))))
    day = date(2026, 8, 15)
    table = ScoreTable(day, "v5", np.array([CVE.encode()]), np.array([0.25]), np.array([0.9]))
    with store.begin() as connection:
        scores.save(connection, table, NOW)
    found = known(store).enrichment({CVE, "CVE-2026-0002"})
    assert list(found) == [CVE]
    one = found[CVE]
    assert (one.cvss, one.cwe) == (9.8, ("CWE-20",))
    assert one.epss == Epss(0.25, 0.9, day)
    assert one.kev is not None
    assert known(store, NOW - timedelta(days=1)).enrichment({CVE}) == {}


def test_findings_say_that_a_feed_is_old(store: Store) -> None:
    save(store, "debian-dsa", ADVISORY)
    week = NOW - timedelta(days=9)
    with store.begin() as connection:
        feeds.save(connection, FeedState("debian-dsa", publisher="debian", synced_at=week))
    seen = inventory("web", [package(version="1")])
    (one,) = assess([(host("web"), seen)], known(store), Policy(), today=NOW.date())
    (finding,) = one.findings
    assert "stale: feed debian-dsa is 9 days old" in finding.reasons


def test_without_a_database_nothing_more_is_known() -> None:
    assert Knowledge().enrichment({CVE}) == {}
