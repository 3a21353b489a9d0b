"""What feeds say, and what was known when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.intelligence.enrichment import CvssScore, Enrichment
from suture.store import knowledge, records
from suture.store.database import Store, query_of
from suture.store.records import Applied, Row
from suture.store.tables import feed_records

START = datetime(2026, 1, 1, tzinfo=UTC)


def advisory(name: str, fixed: str = "2", *releases: str) -> Advisory:
    return Advisory(
        name,
        "debian",
        (f"CVE-{name}",),
        tuple(
            Affected(release, "nginx", FixState.FIXED, fixed)
            for release in releases or ("debian:12",)
        ),
    )


def all_rows(*found: Advisory | Enrichment) -> list[Row]:
    return [row for one in found for row in records.rows(one)]


def at(day: int) -> datetime:
    return START + timedelta(days=day)


def known(store: Store, day: int | None = None, *releases: str) -> list[str]:
    with store.query() as query:
        return [
            f"{one.id} {one.affected[0].fixed}"
            for _, one in knowledge.advisories(
                query,
                releases or ("debian:12",),
                known_at=None if day is None else at(day),
            )
        ]


def test_what_was_known_before_a_time_and_what_is_known_now_are_read_at_once(store: Store) -> None:
    for day, said in ((0, "2"), (1, "3"), (2, "4")):
        with store.begin() as connection:
            new = [advisory("stays"), advisory("corrected", said), advisory(f"of day {day}")]
            records.apply(connection, "tracker", "all", all_rows(*new), at(day))
    names = {("debian:12", "nginx")}
    with store.query() as query:
        for day in range(4):
            found = list(knowledge.advisories_before_and_now(query, ["debian:12"], at(day), names))
            was = [one for was, _, one in found if was]
            moment = at(day) - timedelta(microseconds=1)
            before = knowledge.advisories(query, ["debian:12"], known_at=moment)
            assert was == [one for _, one in before]
            now = [one for _, is_, one in found if is_]
            assert now == [one for _, one in knowledge.advisories(query, ["debian:12"])]
            assert all(was or is_ for was, is_, _ in found)
        others = {("debian:12", "curl")}
        assert not list(knowledge.advisories_before_and_now(query, ["debian:12"], at(1), others))


def test_a_record_is_kept_by_release(store: Store) -> None:
    both = advisory("1", "2", "debian:12", "debian:13")
    with store.begin() as connection:
        applied = records.apply(connection, "tracker", "all", all_rows(both), at(0))
    assert applied == Applied(began=2, ended=0)
    with store.query() as query:
        ((feed, one),) = knowledge.advisories(query, ["debian:13"])
    assert (feed, one.affected) == ("tracker", both.affected[1:])


def test_what_names_no_wanted_package_is_passed_over(store: Store) -> None:
    with store.begin() as connection:
        records.apply(connection, "tracker", "all", all_rows(advisory("1")), at(0))
    with store.query() as query:
        for release, package, found in (
            ("debian:12", "nginx", 1),
            ("debian:12", "curl", 0),
            ("debian:13", "nginx", 0),
        ):
            names = {(release, package)}
            assert len(list(knowledge.advisories(query, ["debian:12"], names=names))) == found


def test_of_which_releases_something_is_known(store: Store) -> None:
    with store.begin() as connection:
        records.apply(connection, "tracker", "all", all_rows(advisory("1")), at(1))
    with store.query() as query:
        asked = {"debian:12", "fedora:40"}
        assert knowledge.spoken_of(query, asked, but_for="epel-") == {"debian:12"}
        assert knowledge.spoken_of(query, asked, but_for="epel-", known_at=at(0)) == set()
        assert knowledge.spoken_of(query, asked, but_for="track") == set()


def test_what_is_said_again_goes_on_and_what_is_not_ends(store: Store) -> None:
    with store.begin() as connection:
        records.apply(connection, "dsa", "a", all_rows(advisory("1"), advisory("2")), at(0))
    with store.begin() as connection:
        applied = records.apply(
            connection, "dsa", "a", all_rows(advisory("1"), advisory("2", "3")), at(1)
        )
    assert applied == Applied(began=1, ended=1)
    assert known(store) == ["1 2", "2 3"]
    assert known(store, 0) == ["1 2", "2 2"]


def test_files_are_apart_until_one_is_gone(store: Store) -> None:
    with store.begin() as connection:
        records.apply(connection, "dsa", "a", all_rows(advisory("1")), at(0))
        records.apply(connection, "dsa", "b", all_rows(advisory("2")), at(0))
        assert records.end_files(connection, "dsa", ["a"], at(1)) == 1
        assert records.count(connection, "dsa") == 1
    assert known(store) == ["1 2"]


def test_a_partial_file_speaks_of_what_it_names(store: Store) -> None:
    first = all_rows(advisory("1"), advisory("2"), advisory("3"))
    with store.begin() as connection:
        records.apply(connection, "vex", "archive", first, at(0))
        applied = records.apply_partial(
            connection, "vex", "changes", all_rows(advisory("2", "9")), ["3"], at(1)
        )
    assert applied == Applied(began=1, ended=2)
    assert known(store) == ["1 2", "2 9"]


def test_a_withdrawn_advisory_without_packages_is_kept(store: Store) -> None:
    bare = Advisory("1", "debian", (), (), withdrawn=at(0).date())
    with store.begin() as connection:
        records.apply(connection, "dsa", "a", all_rows(bare), at(0))
        assert [one for _, one in knowledge.advisories(query_of(connection), [""])] == [bare]


def test_enrichment_is_asked_by_vulnerability(store: Store) -> None:
    one = Enrichment("CVE-2026-0001", scores=(CvssScore("3.1", "", 9.8, "nvd"),))
    with store.begin() as connection:
        records.apply(connection, "nvd", "2026", all_rows(one, Enrichment("CVE-2026-2")), at(0))
        found = list(knowledge.enrichments(query_of(connection), ["CVE-2026-0001"]))
        assert found == [("nvd", one)]
        assert list(knowledge.advisories(query_of(connection), ["debian:12"])) == []


days = st.lists(st.dictionaries(st.sampled_from("123"), st.sampled_from("456")), max_size=6)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(days)
def test_any_past_day_is_known_as_it_was(store: Store, said: list[dict[str, str]]) -> None:
    with store.begin() as connection:
        connection.execute(sa.delete(feed_records))
        for day, words in enumerate(said):
            new = all_rows(*(advisory(name, fixed) for name, fixed in words.items()))
            records.apply(connection, "dsa", "a", new, at(day))
    for day, words in enumerate(said):
        assert sorted(known(store, day)) == sorted(f"{n} {fixed}" for n, fixed in words.items())
