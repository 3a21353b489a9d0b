"""What is open on the fleet: now, on a past day, with what was known then, and accepted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.core.inventory import OperatingSystem
from suture.services import exceptions, fleet
from suture.services.collecting import clock
from suture.services.errors import NotFoundError
from suture.services.findings import Format, Moment, explain, fleet_findings, rendered, sbom
from suture.services.overview import overview
from suture.services.workspace import Workspace
from suture.store import inventories, records
from tests.unit.core.builders import host, inventory, package

START = datetime(2026, 3, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """nginx 1 on day 0, 2 from day 10 on. On day 5 it becomes known that 2 fixes one CVE, on day
    20 that 3 fixes another."""
    made = Workspace(tmp_path, f"sqlite:///{tmp_path}/s.sqlite")
    fleet.add(made, [host("web")])
    with fleet.opened(made) as store, store.begin() as connection:
        for seen, version in ((0, "1"), (10, "2"), (30, "2")):
            one = inventory("web", [package("nginx", version)], collected_at=day(seen))
            inventories.record(connection, one)
        for known, fixed in ((5, "2"), (20, "3")):
            affected = Affected("debian:12", "nginx", FixState.FIXED, fixed)
            advisory = Advisory(f"DSA-{fixed}", "debian", (f"CVE-2026-000{fixed}",), (affected,))
            rows = list(records.rows(advisory))
            records.apply(connection, "debian-dsa", fixed, rows, day(known))
    return made


def cves(place: Workspace, at: int | None = None, known_at: int | None = None) -> list[str]:
    moment = Moment(None if at is None else day(at), None if known_at is None else day(known_at))
    return sorted(one.cve[-1] for one in fleet_findings(place, moment=moment).findings)


def test_now(place: Workspace) -> None:
    assert cves(place) == ["3"]


@pytest.mark.parametrize(
    ("at", "known_at", "expected"),
    [
        (1, None, ["2", "3"]),
        (1, 1, []),
        (6, 6, ["2"]),
        (12, 12, []),
        (12, None, ["3"]),
        (25, 25, ["3"]),
    ],
)
def test_a_past_day_with_what_is_known_now_or_was_then(
    place: Workspace, at: int, known_at: int | None, expected: list[str]
) -> None:
    assert cves(place, at, known_at) == expected


def test_before_a_host_was_seen_nothing_is_known_of_it(place: Workspace) -> None:
    assert fleet_findings(place, moment=Moment(day(-1))).never_seen == ("web",)


def test_accepted_findings_stand_apart(place: Workspace) -> None:
    exceptions.add(
        place,
        cve="CVE-2026-0003",
        package="",
        on="web",
        owner="Kim",
        reason="not reachable",
        until=clock().date() + timedelta(days=5),
        control="",
        actor="alex",
    )
    found = fleet_findings(place)
    assert (found.findings, found.patches) == ((), ())
    (one,) = found.excepted
    assert one.finding.cve == "CVE-2026-0003"
    assert found.expiring == found.excepted


def test_other_programs_read_them(place: Workspace) -> None:
    found = fleet_findings(place)
    assert "CVE-2026-0003" in rendered(found, Format.CSV)
    assert "CVE-2026-0003" in rendered(found, Format.SARIF)
    made = sbom(place)
    assert "pkg:deb/debian/nginx@2" in made.text
    assert (made.never_seen, made.unjudged) == ((), ())
    assert "compositions" not in json.loads(made.text)


def test_an_sbom_says_which_hosts_were_never_scanned(place: Workspace) -> None:
    fleet.add(place, [host("new")])
    made = sbom(place)
    assert made.never_seen == ("new",)
    assert '"host:new"' in made.text
    with pytest.raises(NotFoundError, match="never scanned: new"):
        sbom(place, names=("new",))


def test_the_overview_counts_what_is_open_on_disk(place: Workspace) -> None:
    found = overview(place)
    assert (found.hosts, found.findings, found.without_fix) == (1, 1, 0)
    (one,) = found.cves
    assert (one.cve, one.hosts, one.fixed_on, one.kev) == ("CVE-2026-0003", 1, 1, False)
    assert one.score == pytest.approx(fleet_findings(place).findings[0].score)
    assert found.busiest == (("web", 1),)


def test_the_overview_of_a_past_day(place: Workspace) -> None:
    assert [one.cve[-1] for one in overview(place, moment=Moment(day(1))).cves] == ["2", "3"]


@pytest.mark.parametrize(
    ("release", "remedy"),
    [
        ("fedora:44", "suture feeds sync fedora-44"),
        ("fedora:20", "No feed is about it."),
        ("rhel:9", "suture feeds sync epel-9 redhat-vex"),
        ("amzn:2", "No feed is about it."),
    ],
)
def test_an_rpm_host_of_whose_release_no_feed_speaks_is_unknown(
    place: Workspace, release: str, remedy: str
) -> None:
    fleet.add(place, [host("rpm")])
    seen = inventory("rpm", [package("nginx", "1")], os=OperatingSystem(*release.split(":")))
    with fleet.opened(place) as store, store.begin() as connection:
        inventories.record(connection, replace(seen, package_manager="rpm"))
    found = fleet_findings(place)
    assert overview(place).unjudged == found.unjudged == sbom(place).unjudged
    assert f"no feed that was synced says anything about {release}" in sbom(place).text
    (one,) = found.unjudged
    assert (one.host, one.release) == ("rpm", release)
    assert remedy in one.remedy

    beside = Affected(release, "curl", FixState.FIXED, "2", channel="epel")
    with fleet.opened(place) as store, store.begin() as connection:
        rows = records.rows(Advisory("E-1", "fedora", ("CVE-2026-0100",), (beside,)))
        records.apply(connection, "epel-9", "all", rows, day(31))
    assert fleet_findings(place).unjudged == overview(place).unjudged == (one,)

    affected = Affected(one.release, "curl", FixState.FIXED, "2")
    with fleet.opened(place) as store, store.begin() as connection:
        rows = records.rows(Advisory("A-1", "them", ("CVE-2026-0100",), (affected,)))
        records.apply(connection, "some-feed", "all", rows, day(31))
    assert fleet_findings(place).unjudged == overview(place).unjudged == ()


def said(place: Workspace, cve: str, feed: str, state: FixState, fixed: str | None = None) -> None:
    advisory = Advisory(cve, "debian", (cve,), (Affected("debian:12", "nginx", state, fixed),))
    with fleet.opened(place) as store, store.begin() as connection:
        records.apply(connection, feed, feed, list(records.rows(advisory)), day(31))


def test_why_one_is_open_is_told_with_the_publisher_s_reason(place: Workspace) -> None:
    said(place, "CVE-2026-0009", "tracker", FixState.END_OF_LIFE)
    (one,) = explain(place, "CVE-2026-0009")
    assert one.answer == "open"
    assert one.finding is not None
    assert one.finding.reasons[0] == "debian no longer looks at this release"


def test_why_one_is_not_open_is_told_with_what_others_say(place: Workspace) -> None:
    said(place, "CVE-2026-0008", "tracker", FixState.NOT_AFFECTED)
    (one,) = explain(place, "CVE-2026-0008")
    assert (one.finding, one.answer) == (None, "not open: debian says that nginx is not affected")
    said(place, "CVE-2026-0008", "osv", FixState.FIXED, "1")
    (one,) = explain(place, "CVE-2026-0008")
    assert one.answer == "not open: nginx is at 1 or newer, and nothing old runs"
    assert one.others == ("debian says otherwise in CVE-2026-0008: not affected",)


def test_time_limits_count_from_the_first_day_on_which_it_was_installed_and_known(
    place: Workspace,
) -> None:
    published = day(15).date()
    affected = (Affected("debian:12", "nginx", FixState.FIXED, "3"),)
    cve = "CVE-2026-0003"
    advisory = Advisory("DSA-3", "debian", (cve,), affected, Severity.HIGH, published)
    with fleet.opened(place) as store, store.begin() as connection:
        records.apply(connection, "debian-dsa", "3", list(records.rows(advisory)), day(20))
    (finding,) = fleet_findings(place, moment=Moment(day(31))).findings
    assert (finding.due, finding.overdue) == (published + timedelta(days=30), False)
    (finding,) = fleet_findings(place, moment=Moment(day(60))).findings
    assert finding.overdue
