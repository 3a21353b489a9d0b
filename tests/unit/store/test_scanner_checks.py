"""A scanner's catalogue is taken over check by check, and what it said before is ended."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from suture.core.scanners.checks import Check
from suture.store import knowledge, scanner_checks
from suture.store.database import Store
from suture.store.tables import feed_records
from tests.unit.core.builders import NOW

NGINX = Check("178000", "Old nginx", cves=("CVE-2026-0001",))
OPENSSL = Check("178001", "Old openssl")


def apply(store: Store, *checks: Check, days: int = 0) -> int:
    with store.begin() as connection:
        rows = [scanner_checks.row(check) for check in checks]
        return scanner_checks.apply(connection, rows, NOW + timedelta(days=days))


def test_nothing_is_known_before_the_first(store: Store) -> None:
    with store.read() as connection:
        assert scanner_checks.changed_at(connection) is None
        assert scanner_checks.about(connection, ["178000"]) == {}


def test_a_part_leaves_the_rest_as_it_was(store: Store) -> None:
    assert apply(store, NGINX, OPENSSL) == 2
    newer = Check("178001", "Old openssl", cves=("CVE-2026-0002",))
    assert apply(store, newer, days=1) == 1
    with store.read() as connection:
        known = scanner_checks.about(connection, ["178000", "178001", "9"])
        assert known == {"178000": NGINX, "178001": newer}
        assert scanner_checks.count(connection) == 2
        assert scanner_checks.changed_at(connection) == NOW + timedelta(days=1)
        query = sa.select(feed_records.c.known_until).where(feed_records.c.key == "178001")
        ended = {row.known_until for row in connection.execute(query)}
    assert ended == {None, NOW + timedelta(days=1)}


def test_the_same_again_changes_nothing(store: Store) -> None:
    apply(store, NGINX)
    assert apply(store, NGINX, days=1) == 0


@pytest.mark.parametrize("batch", [1, 5000])
def test_of_a_check_that_comes_twice_the_last_word_counts(
    store: Store, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanner_checks, "_BATCH", batch)
    apply(store, Check("178000", "Older"), NGINX)
    with store.read() as connection:
        assert scanner_checks.about(connection, ["178000"]) == {"178000": NGINX}
        assert scanner_checks.count(connection) == 1


def test_checks_are_no_enrichment(store: Store) -> None:
    apply(store, NGINX)
    with store.query() as query:
        assert list(knowledge.enrichments(query, ["CVE-2026-0001"])) == []
