"""Changelogs of Debian's own packages, and of nobody's."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.intelligence.advisories import FixState, Severity
from suture.core.intelligence.changelogs import MAX_SUMMARY, advisories, parse, published

RECORDED = Path(__file__).parents[3] / "recorded" / "changelogs"

HEADER = "bash (5.2-2) bookworm-security; urgency=medium"
TRAILER = " -- A Person <a@example.org>  Thu, 19 Nov 2026 22:02:23 +0100"


def recorded(source: str) -> str:
    return (RECORDED / f"{source}.txt").read_text(encoding="utf-8")


def entry(*lines: str) -> str:
    return "\n".join([HEADER, "", *lines, "", TRAILER, ""])


def test_every_entry_of_a_real_changelog_is_read() -> None:
    newest, second, third, _ = parse(recorded("nginx"))
    assert (newest.source, newest.version) == ("nginx", "1.22.1-9+deb12u11")
    assert (newest.distribution, newest.urgency) == ("bookworm-security", "high")
    assert newest.date == datetime(2026, 11, 19, 21, 2, 23, tzinfo=UTC)
    assert newest.cves[:3] == ("CVE-2023-44487", "CVE-2026-15176", "CVE-2026-93479")
    assert len(newest.cves) == 11
    assert newest.summary.startswith("d/p/CVE-2023-44487.patch add, backport upstream HTTP/2")
    assert [second.version, third.version] == ["1.22.1-9+deb12u10", "1.22.1-9+deb12u9"]


def test_notes_on_who_uploaded_are_not_the_summary() -> None:
    newest = parse(recorded("openssl"))[0]
    assert newest.summary.startswith('CVE-2026-84782 ("DTLS Retransmits Handshake Messages')
    assert newest.summary.endswith('Offset")')


def test_what_is_newer_than_installed_and_names_vulnerabilities_becomes_advisories() -> None:
    found = advisories(parse(recorded("nginx")), release="debian:12", installed="1.22.1-9+deb12u9")
    assert [one.affected[0].fixed for one in found] == ["1.22.1-9+deb12u11", "1.22.1-9+deb12u10"]
    newest = found[0]
    (about,) = newest.affected
    assert newest.id == "changelog:nginx:1.22.1-9+deb12u11"
    assert (newest.publisher, about.release, about.package) == ("changelog", "debian:12", "nginx")
    assert about.state is FixState.FIXED
    assert newest.published == date(2026, 11, 19)


def test_an_entry_that_names_none_is_no_advisory() -> None:
    text = entry("  * Correct a typing error.")
    assert len(parse(text)) == 1
    assert advisories(parse(text), release="debian:12", installed="5.1") == ()


@pytest.mark.parametrize(
    ("urgency", "severity"),
    [
        ("low", Severity.UNKNOWN),
        ("medium", Severity.UNKNOWN),
        ("HIGH", Severity.HIGH),
        ("critical", Severity.CRITICAL),
        ("emergency", Severity.CRITICAL),
    ],
)
def test_the_default_urgency_says_nothing(urgency: str, severity: Severity) -> None:
    text = entry("  * CVE-2026-0001").replace("medium", urgency)
    (advisory,) = advisories(parse(text), release="debian:12", installed="5.1")
    assert advisory.severity is severity


def test_vulnerabilities_are_sorted_by_number_and_named_once() -> None:
    text = entry("  * cve-2026-10000, CVE-2026-9999,CVE-2025-0001 (CVE-2026-9999_x)")
    assert parse(text)[0].cves == ("CVE-2025-0001", "CVE-2026-9999", "CVE-2026-10000")


def test_rebuilds_of_binaries_are_passed_over() -> None:
    assert parse(entry("  * Rebuild").replace("medium", "low, binary-only=yes")) == ()


@pytest.mark.parametrize(
    "trailer",
    ["", " -- A <a@b>  Thu, 99 Nov 2026 22:02:23 +0100", " -- A <a@b>  yesterday"],
)
def test_a_date_that_is_none_is_none(trailer: str) -> None:
    text = entry("  * A change").replace(TRAILER, trailer)
    assert parse(text)[0].date is None
    assert published(parse(text)) == {}


def test_when_a_version_was_finished() -> None:
    dates = published(parse(recorded("nginx")))
    assert dates["1.22.1-9+deb12u10"] == date(2026, 7, 18)


def test_the_summary_is_one_short_printable_line() -> None:
    summary = parse(entry("  * \x1b[31mred\x07 " + "x" * 1000))[0].summary
    assert summary.isprintable()
    assert len(summary) == MAX_SUMMARY


@given(
    st.lists(
        st.one_of(st.text(max_size=40), st.sampled_from([HEADER, TRAILER, "  * CVE-2026-0001"])),
        max_size=20,
    )
)
def test_nothing_that_anyone_writes_raises(lines: list[str]) -> None:
    for one in parse("\n".join(lines)):
        assert one.summary.isprintable()
        assert len(one.cves) == len(set(one.cves))
