"""Feeds taken along in one file to where no network is."""

from __future__ import annotations

import lzma
import tarfile
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.intelligence.enrichment import Enrichment, Epss
from suture.core.intelligence.epss import ScoreTable
from suture.services import bundles, fleet
from suture.services.errors import RefusedError, ServiceError
from suture.services.workspace import Workspace
from suture.store import feeds, knowledge, records, scores
from suture.store.knowledge import FeedState

NOW = datetime(2026, 8, 16, tzinfo=UTC)
ADVISORY = Advisory(
    "DSA-1", "debian", ("CVE-2026-1",), (Affected("debian:12", "nginx", FixState.FIXED, "2"),)
)
SCORES = ScoreTable(
    date(2026, 8, 16),
    "v5",
    np.array([b"CVE-2026-0001"]),
    np.array([0.25]),
    np.array([np.nan]),
)
ENRICHMENT = Enrichment("CVE-2026-0001", cwe=("CWE-79",))


def workspace(directory: Path) -> Workspace:
    return Workspace(directory, f"sqlite:///{directory}/s.sqlite")


def save(place: Workspace, synced_at: datetime, *found: Advisory | Enrichment) -> None:
    with fleet.opened(place) as store, store.begin() as connection:
        rows = [row for one in found for row in records.rows(one)]
        records.apply(connection, "dsa", "all.json", rows, synced_at)
        state = FeedState("dsa", synced_at=synced_at, records=len(rows))
        feeds.save(connection, state)


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[Path]:
    here = workspace(tmp_path / "here")
    save(here, NOW, ADVISORY, ENRICHMENT)
    with fleet.opened(here) as store, store.begin() as connection:
        scores.save(connection, SCORES, NOW)
        feeds.save(
            connection,
            FeedState("epss", synced_at=NOW, records=1, mirror="https://secret.example/"),
        )
        feeds.save(connection, FeedState("never"))
    path = tmp_path / "feeds.tar.xz"
    assert bundles.export(here, path, lambda feed: None) == ("dsa", "epss")
    yield path


def load(place: Workspace, path: Path, *, accept: bool = False) -> dict[str, FeedState]:
    return {one.name: one for one in bundles.load(place, path, lambda feed: None, accept=accept)}


def test_all_that_was_known_is_known_there(bundle: Path, tmp_path: Path) -> None:
    there = workspace(tmp_path / "there")
    states = load(there, bundle)
    assert {name: state.records for name, state in states.items()} == {"dsa": 2, "epss": 1}
    assert states["dsa"].synced_at == NOW
    with fleet.opened(there) as store, store.query() as query:
        assert list(knowledge.advisories(query, ["debian:12"])) == [("dsa", ADVISORY)]
        assert list(knowledge.enrichments(query, ["CVE-2026-0001"])) == [("dsa", ENRICHMENT)]
        kept = knowledge.scores(query)
    assert kept is not None
    assert kept.get("CVE-2026-0001") == Epss(0.25, None, date(2026, 8, 16))


def test_a_bundle_tells_no_mirror(bundle: Path) -> None:
    assert b"secret" not in lzma.decompress(bundle.read_bytes())


def test_what_is_newer_here_is_kept_unless_asked(bundle: Path, tmp_path: Path) -> None:
    there = workspace(tmp_path / "there")
    save(there, NOW + timedelta(days=1), ADVISORY)
    assert load(there, bundle)["dsa"].records == 1
    assert load(there, bundle, accept=True)["dsa"].records == 2


def test_a_damaged_bundle_changes_nothing(bundle: Path, tmp_path: Path) -> None:
    there = workspace(tmp_path / "there")
    changed = tmp_path / "changed.tar.xz"
    data = lzma.decompress(bundle.read_bytes()).replace(b'"fixed":"2"', b'"fixed":"3"')
    changed.write_bytes(lzma.compress(data))
    with pytest.raises(ServiceError, match="not what the manifest names"):
        load(there, changed)
    changed.write_bytes(bundle.read_bytes()[:-40])
    with pytest.raises(ServiceError, match="damaged"):
        load(there, changed)
    with fleet.opened(there) as store, store.query() as query:
        assert knowledge.feeds(query) == {}


def test_another_file_is_no_bundle(tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    with tarfile.open(other, "w") as archive:
        archive.add(__file__, "x")
    with pytest.raises(ServiceError, match="no bundle of feeds"):
        load(workspace(tmp_path / "there"), other)


def test_there_must_be_something_to_take_along(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="no feed was ever synced"):
        bundles.export(workspace(tmp_path), tmp_path / "b.tar.xz", lambda feed: None)
    assert not list(tmp_path.glob("b.tar*"))
