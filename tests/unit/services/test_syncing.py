"""A feed is taken whole or not at all, and what cannot be right is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs as struct

from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.intelligence.enrichment import Epss
from suture.core.intelligence.epss import ScoreTable
from suture.feeds.feed import Feed, FeedFile, Source, fixed_files
from suture.reading import UnreadableError, json_of, text_of
from suture.services import fleet
from suture.services.errors import NotFoundError
from suture.services.syncing import Outcome, Synced, sync
from suture.services.workspace import Workspace
from suture.store import events, feeds, inventories, knowledge
from suture.store.knowledge import FeedState
from tests.unit.core.builders import inventory, package


def parse(file: FeedFile) -> Iterator[Advisory]:
    """{"id": "day on which it was modified"}"""
    words = json_of(text_of(file.location).encode(), dict[str, str], name=file.name)
    for name, day in words.items():
        if not day:
            raise UnreadableError(f"{file.name}: {name} has no day")
        affected = (Affected("debian:12", "nginx", FixState.FIXED, "2"),)
        yield Advisory(name, "debian", ("CVE-1",), affected, modified=date.fromisoformat(day))


class Site:
    """A feed whose files lie in a directory."""

    def __init__(self, directory: Path) -> None:
        self.workspace = Workspace(directory / "home", f"sqlite:///{directory}/home/s.sqlite")
        self.mirror = directory / "mirror"
        self.mirror.mkdir()
        self.feed = Feed("dsa", "debian", "", str(self.mirror), fixed_files("all.json"), parse)

    def publish(self, words: dict[str, str], name: str = "all.json") -> None:
        (self.mirror / name).write_text(json.dumps(words))

    def sync(self, *, accept: bool = False) -> Synced:
        (done,) = sync(
            self.workspace,
            {"dsa": self.feed},
            accept=accept,
            progress=lambda feed, what, done, total: None,
        )
        return done

    def fetch_with(self, fetch: Callable[[Source], list[FeedFile]]) -> None:
        self.feed = replace(self.feed, fetch=fetch)

    def known(self) -> list[str]:
        with fleet.opened(self.workspace) as store, store.query() as query:
            return [one.id for _, one in knowledge.advisories(query, ["debian:12"])]

    def state(self) -> FeedState:
        with fleet.opened(self.workspace) as store, store.read() as connection:
            return feeds.get(connection, "dsa")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


DAY = date(2026, 8, 16)
MANY = {f"DSA-{number}": "2026-01-01" for number in range(100)}


def test_a_second_sync_of_the_same_file_reads_nothing(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish({"DSA-1": "2026-01-01", "DSA-2": "2026-01-02"})
    first = site.sync()
    assert (first.outcome, first.records, first.began) == (Outcome.SYNCED, 2, 2)
    assert site.known() == ["DSA-1", "DSA-2"]
    site.feed = replace(site.feed, parse=lambda file: pytest.fail("read again"))
    again = site.sync()
    assert (again.outcome, again.records) == (Outcome.UNCHANGED, 2)


def test_another_version_of_suture_reads_files_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish({"DSA-1": "2026-01-01"})
    site.sync()
    monkeypatch.setattr("suture.services.syncing.__version__", "99")
    assert site.sync().outcome is Outcome.SYNCED


def test_another_version_of_suture_wants_all_of_a_feed_and_not_only_changes(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish({"DSA-1": "2026-01-01", "DSA-2": "2026-01-01"})
    site.publish({}, "changes")

    def fetch(source: Source) -> list[FeedFile]:
        if source.since is None:
            return [source.get("all.json")]
        return [source.get("changes", partial=True)]

    site.fetch_with(fetch)
    site.sync()
    assert site.sync().began == 0
    site.feed = replace(
        site.feed, parse=lambda file: (struct.replace(one, summary="new") for one in parse(file))
    )
    monkeypatch.setattr("suture.services.syncing.__version__", "99")
    done = site.sync()
    assert (done.outcome, done.began, done.ended, done.records) == (Outcome.SYNCED, 2, 2, 2)


def test_scores_that_another_version_read_are_not_fetched_anew(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = []

    def fetch(source: Source) -> list[FeedFile]:
        wanted.append(source.since)
        return [source.get("all.json")]

    table = ScoreTable(DAY, "v", np.array([b"CVE-2026-0001"]), np.array([0.5]), np.array([0.9]))
    site.publish({})
    site.feed = replace(site.feed, parse=None, scores=lambda file: table, fetch=fetch)
    site.sync()
    monkeypatch.setattr("suture.services.syncing.__version__", "99")
    site.sync()
    assert wanted[0] is None and wanted[1] is not None


def test_a_feed_without_any_file_is_refused(site: Site) -> None:
    site.publish({"DSA-1": "2026-01-01"})
    site.sync()
    site.fetch_with(lambda source: [])
    refused = site.sync(accept=True)
    assert (refused.outcome, refused.error) == (Outcome.FAILED, "the feed has no files any more")
    assert site.known() == ["DSA-1"]


@pytest.mark.parametrize("broken", ['{"DSA-3": "2026-', '{"DSA-3": "2026-01-03", "DSA-4": ""}'])
def test_a_broken_file_changes_nothing(site: Site, broken: str) -> None:
    site.publish({"DSA-1": "2026-01-01"})
    good = site.sync()
    (site.mirror / "all.json").write_text(broken)
    done = site.sync()
    assert (done.outcome, done.records) == (Outcome.FAILED, 1)
    assert "all.json" in done.error
    assert site.known() == ["DSA-1"]
    state = site.state()
    assert state.error == done.error
    assert state.synced_at is not None and state.checked_at is not None
    assert state.synced_at < state.checked_at
    site.publish({"DSA-1": "2026-01-01"})
    assert site.sync().outcome is Outcome.UNCHANGED
    assert site.state().error == ""
    assert good.outcome is Outcome.SYNCED


def test_a_missing_file_is_told_with_a_remedy(site: Site) -> None:
    done = site.sync()
    assert done.outcome is Outcome.FAILED
    assert "does not exist" in done.error
    assert done.remedy


def test_a_feed_that_shrinks_suddenly_is_refused(site: Site) -> None:
    site.publish(MANY)
    site.sync()
    few = dict(list(MANY.items())[:60])
    site.publish(few)
    refused = site.sync()
    assert refused.outcome is Outcome.FAILED
    assert refused.error == "the feed shrank from 100 records to 60"
    assert "--accept" in refused.remedy
    assert len(site.known()) == 100
    assert site.sync(accept=True).records == 60
    assert len(site.known()) == 60


def test_a_feed_may_lose_a_few(site: Site) -> None:
    site.publish(MANY)
    site.sync()
    site.publish(dict(list(MANY.items())[:90]))
    assert site.sync().outcome is Outcome.SYNCED


def test_a_feed_that_goes_back_in_time_is_refused(site: Site) -> None:
    site.publish({"DSA-1": "2026-05-01"})
    site.sync()
    site.publish({"DSA-1": "2026-04-01"})
    refused = site.sync()
    assert refused.error == (
        "the feed went back in time: its newest word was of 2026-05-01, now of 2026-04-01"
    )
    assert site.sync(accept=True).outcome is Outcome.SYNCED


def test_whole_files_may_be_a_day_behind_those_of_changes(site: Site) -> None:
    site.publish({"DSA-1": "2026-05-02"})
    site.sync()
    site.publish({"DSA-1": "2026-05-01"})
    assert site.sync().outcome is Outcome.SYNCED


def test_only_changed_files_are_read_and_lost_ones_end(site: Site) -> None:
    site.publish({"DSA-1": "2026-01-01"}, "a")
    site.publish({"DSA-2": "2026-01-01"}, "b")
    site.fetch_with(lambda source: [source.get(one.name) for one in sorted(site.mirror.iterdir())])
    site.sync()
    site.publish({"DSA-3": "2026-01-02"}, "b")
    done = site.sync()
    assert (done.began, done.ended, site.known()) == (1, 1, ["DSA-1", "DSA-3"])
    (site.mirror / "a").unlink()
    assert site.sync().ended == 1
    assert site.known() == ["DSA-3"]


def test_partial_files_add_to_what_is_known(site: Site) -> None:
    site.publish({"DSA-1": "2026-01-01", "DSA-2": "2026-01-01"})
    site.sync()
    site.publish({"DSA-2": "2026-01-03"}, "changes")

    def fetch(source: Source) -> list[FeedFile]:
        changes = source.get("changes", partial=True)
        return [FeedFile(changes.name, changes.path, partial=True, removed=("DSA-1",))]

    site.fetch_with(fetch)
    done = site.sync()
    assert (done.began, done.ended, done.records) == (1, 2, 1)
    assert site.known() == ["DSA-2"]


def test_scores_are_kept_by_day(site: Site) -> None:
    def read(file: FeedFile) -> ScoreTable:
        cves = np.array([b"CVE-2026-0001"])
        return ScoreTable(DAY, "v2026", cves, np.array([0.5]), np.array([0.9]))

    site.publish({})
    site.feed = replace(site.feed, parse=None, scores=read)
    assert site.sync().records == 1
    with fleet.opened(site.workspace) as store, store.query() as query:
        kept = knowledge.scores(query)
    assert kept is not None
    assert kept.get("CVE-2026-0001") == Epss(0.5, 0.9, DAY)
    assert kept.get("CVE-2026-0002") is None


def test_a_name_that_no_feed_has_is_told(site: Site) -> None:
    with pytest.raises(NotFoundError, match="no feed 'usn'"):
        list(sync(site.workspace, {"dsa": site.feed}, ["usn"], progress=lambda *_: None))


def test_by_default_only_what_concerns_the_fleet_is_synced(site: Site) -> None:
    site.publish({"DSA-1": "2026-01-01"})
    known = {
        "dsa": site.feed,
        "usn": replace(site.feed, name="usn", systems=("ubuntu",)),
        "again": replace(site.feed, name="again", default=False),
    }
    done = list(sync(site.workspace, known, progress=lambda *_: None))
    assert [one.feed for one in done] == ["dsa"]


def enrol(site: Site, version: str) -> None:
    with fleet.opened(site.workspace) as store, store.begin() as connection:
        inventories.record(connection, inventory("web", [package("nginx", version)]))


def test_what_a_feed_newly_opens_is_an_event_and_no_host_is_asked(site: Site) -> None:
    enrol(site, "1")
    site.feed = replace(site.feed, systems=("debian",))
    site.publish({"DSA-1": "2026-01-01"})
    (arrival,) = site.sync().arrivals
    assert (arrival.cve, arrival.sources, arrival.named) == ("CVE-1", ("nginx",), ("web",))
    site.publish({"DSA-1": "2026-01-01", "DSA-2": "2026-01-02"})
    assert site.sync().arrivals == ()
    with fleet.opened(site.workspace) as store, store.read() as connection:
        kinds = [event.kind for event in events.stream(connection)]
    assert kinds == ["feed.synced", "finding.new", "feed.synced"]


def test_what_is_installed_already_does_not_arrive(site: Site) -> None:
    enrol(site, "2")
    site.feed = replace(site.feed, systems=("debian",))
    site.publish({"DSA-1": "2026-01-01"})
    assert site.sync().arrivals == ()
