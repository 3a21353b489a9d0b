"""What is read is the same by every way of reading it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.assessment.mitigation import InForce
from suture.core.controls import Control, Mask
from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.intelligence.enrichment import Enrichment
from suture.core.intelligence.epss import ScoreTable
from suture.core.rollout.state import RolloutState, RolloutStatus
from suture.store import (
    changelogs,
    controls,
    feeds,
    inventories,
    knowledge,
    observations,
    records,
    rollouts,
    scores,
)
from suture.store.database import Store, open_store
from suture.store.errors import StoreError
from suture.store.knowledge import FeedState, StoredChangelog
from suture.store.query import Query, SqliteFile, open_for_reading
from suture.store.tables import plans
from tests.unit.core.builders import NOW, inventory, package

LATER = NOW + timedelta(days=1)
CVE = "CVE-2026-0001"


def fill(store: Store) -> None:
    """Something of everything that an assessment reads, and some of it at an end."""
    nginx = Affected("debian:12", "nginx", FixState.FIXED, "2")
    first = Advisory("DSA-1", "debian", (CVE,), (nginx,))
    scored = ScoreTable(date(2026, 8, 1), "v", np.array([CVE.encode()]), *np.full((2, 1), 0.5))
    cups = Control(id="cups", title="t", reason="r", mask=Mask("cups.service"))
    with store.begin() as connection:
        for when, version in ((NOW, "1"), (LATER, "2")):
            seen = replace(inventory("web", [package("nginx", version)]), collected_at=when)
            inventories.record(connection, seen)
            said = replace(first, affected=(replace(nginx, fixed=version),))
            records.apply(connection, "debian-dsa", "all", records.rows(said), when)
        records.apply(connection, "nvd", "all", records.rows(Enrichment(CVE)), LATER)
        scores.save(connection, scored, LATER)
        feeds.save(connection, FeedState("nvd", synced_at=NOW))
        changelogs.save(connection, [StoredChangelog("r", "s", "2", "1", "?%s:é")], LATER)
        connection.execute(sa.insert(plans).values(id="p", created_at=NOW, document=b""))
        state = RolloutState("r", "p", RolloutStatus.RUNNING, ())
        rollouts.create(connection, state, actor="root", without_rehearsal=False, now=NOW)
        controls.begin(connection, InForce("web", cups, "r", NOW))
        controls.end(connection, "r", "web", LATER)
        controls.begin(connection, InForce("db", cups, "r", LATER))


def everything(query: Query, at: datetime | None) -> list[object]:
    table = knowledge.scores(query, known_at=at)
    return [
        observations.latest(query) if at is None else observations.at(query, at, ["web", "db"]),
        observations.first_seen(query),
        observations.unchanged_since(query),
        observations.managers(query, ["web"], at),
        list(knowledge.advisories(query, ["debian:12", "debian:13"], known_at=at)),
        list(knowledge.enrichments(query, [CVE], known_at=at)),
        knowledge.spoken_of(query, ["debian:12", "debian:13"], but_for="epel-", known_at=at),
        table and (table.day, table.model, table.get(CVE)),
        knowledge.feeds(query),
        knowledge.changelogs(query, known_at=at),
        knowledge.in_force(query, at=at),
    ]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/read alone #1.sqlite"


@pytest.fixture
def filled(url: str) -> Iterator[SqliteFile]:
    with closing(open_store(url)) as store:
        fill(store)
    with closing(open_for_reading(url)) as opened:
        assert isinstance(opened, SqliteFile)
        yield opened


@pytest.mark.parametrize("at", [None, NOW - timedelta(seconds=1), NOW, LATER])
def test_a_file_alone_and_a_store_tell_the_same(
    store: Store, filled: SqliteFile, at: datetime | None
) -> None:
    fill(store)
    with store.query() as one, filled.query() as other:
        assert everything(one, at) == everything(other, at)


def test_what_is_told_is_what_counted_then(filled: SqliteFile) -> None:
    with filled.query() as query:
        now, before = everything(query, None), everything(query, NOW)
        assert [one.since for one in knowledge.in_force(query)] == [LATER]
    assert all(one for one in now)
    assert [place for place, one in enumerate(before) if not one] == [5, 7, 9]


def test_a_time_without_a_zone_is_a_defect(store: Store, filled: SqliteFile) -> None:
    for opened in (store, filled):
        with opened.query() as query, pytest.raises(ValueError, match="time zone"):
            observations.at(query, NOW.replace(tzinfo=None))


def test_reading_writes_nothing_and_leaves_nothing(filled: SqliteFile, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="readonly"), filled.query() as query:
        query("DELETE FROM feeds")
    with filled.query() as query:
        assert knowledge.feeds(query)
    filled.close()
    assert sorted(one.suffix for one in tmp_path.glob("read*")) == [".lock", ".sqlite"]


def test_what_is_not_at_the_newest_schema_is_opened_the_usual_way(url: str) -> None:
    with closing(open_for_reading(url)) as new, new.query() as query:
        assert isinstance(new, Store)
        assert knowledge.feeds(query) == {}
        query("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer Suture"):
        open_for_reading(url)


def test_an_empty_file_is_filled_and_a_damaged_one_refused(url: str, tmp_path: Path) -> None:
    path = tmp_path / "read alone #1.sqlite"
    path.touch()
    open_for_reading(url).close()
    with closing(open_for_reading(url)) as again:
        assert isinstance(again, SqliteFile)
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StoreError, match="not a database"):
        open_for_reading(url)


def test_damage_met_while_reading_is_explained(filled: SqliteFile) -> None:
    with pytest.raises(StoreError, match="no such table") as caught, filled.query() as query:
        query("SELECT * FROM elsewhere")
    assert caught.value.remedy
