"""Syncing feeds: AlmaLinux's advisories and EPSS's scores, from files on disk into the database."""

from __future__ import annotations

import gzip
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bench import published
from bench.measure import Figure, Report
from suture.feeds.catalogue import catalogue
from suture.feeds.feed import Feed
from suture.services.syncing import Outcome, Synced, sync
from suture.services.workspace import Workspace

RUNS = 5

_EPSS = "epss-2026-08-16.csv.gz"
_COMMENT = b"#model_version:v2026.03.28,score_date:2026-08-16T00:00:00+0000\n"
_NAMES = ("almalinux-osv", "epss")


def run(runs: int) -> Report:
    firsts: dict[str, list[float]] = {name: [] for name in _NAMES}
    counts: dict[str, int] = {}
    seconds: list[float] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="suture-bench-") as directory:
            feeds = _mirrored(Path(directory))
            home = Path(directory) / "home"
            place = Workspace(home, f"sqlite:///{home}/suture.sqlite")
            for name in _NAMES:
                done, took = _timed(place, feeds, name)
                assert done.outcome is Outcome.SYNCED, done
                firsts[name].append(took)
                counts[name] = done.records
            again = [_timed(place, feeds, name) for name in _NAMES]
            assert all(done.outcome is Outcome.UNCHANGED for done, _ in again), again
            seconds.append(sum(took for _, took in again))
    alma, epss = counts["almalinux-osv"], counts["epss"]
    return Report(
        title="feeds: files on disk into the database, as `suture feeds sync` does it",
        figures=(
            Figure("osv_s", f"{alma:,} advisories of AlmaLinux", tuple(firsts[_NAMES[0]]), "s"),
            Figure("epss_s", f"{epss:,} scores of EPSS", tuple(firsts["epss"]), "s"),
            Figure("second_sync_s", "both again, unchanged", tuple(seconds), "s"),
        ),
        caveats=(
            "Read from a directory, so no network is in it; hashing, parsing, checking and storing "
            "are.",
            "Advisories of one document about several releases count once a release.",
        ),
    )


def _timed(place: Workspace, feeds: Mapping[str, Feed], name: str) -> tuple[Synced, float]:
    began = time.perf_counter()
    (done,) = sync(place, feeds, [name], progress=lambda *_: None)
    return done, time.perf_counter() - began


def _mirrored(directory: Path) -> dict[str, Feed]:
    """The two feeds with a directory in the place of their official address."""
    alma = directory / "alma" / "archive" / "refs" / "heads" / "master.tar.gz"
    alma.parent.mkdir(parents=True)
    alma.symlink_to(published.file(published.ALMA))
    epss = directory / "epss" / "epss_scores-current.csv.gz"
    epss.parent.mkdir()
    epss.write_bytes(
        gzip.compress(_COMMENT + gzip.decompress(published.file(_EPSS).read_bytes()), 1)
    )
    known = catalogue()
    places = {"almalinux-osv": directory / "alma", "epss": directory / "epss"}
    return {name: replace(known[name], url=str(place)) for name, place in places.items()}
