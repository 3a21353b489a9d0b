"""Times, identities and packages as scanners write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.scanners.scanner import MAX_PACKAGES, PackageEvidence
from suture.imports.fields import identity, moment, packages_in


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-03T07:04:05Z",
        "2026-02-03T08:04:05+01:00",
        "2026-02-03T07:04:05",
        "Tue Feb  3 07:04:05 2026",
        "Feb 3, 2026 07:04:05 UTC",
        "02/03/2026 07:04:05",
        "1770102245",
    ],
)
def test_times_are_read_in_every_form(text: str) -> None:
    assert moment(text) == datetime(2026, 2, 3, 7, 4, 5, tzinfo=UTC)


def test_a_zone_is_believed_where_it_can_be() -> None:
    zone = timezone(timedelta(hours=-5))
    assert moment("Feb 03, 2026 07:00 AM", zone) == datetime(2026, 2, 3, 12, tzinfo=UTC)
    assert moment("Feb 3, 2026 07:00:00 GMT", zone) == datetime(2026, 2, 3, 7, tzinfo=UTC)
    assert moment("Jan 5, 2021 10:24:08 MST") == datetime(2021, 1, 5, 10, 24, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "never", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", "12345", "1" * 30]
)
def test_what_is_no_time_is_none(text: str) -> None:
    assert moment(text) is None


@given(st.text(max_size=80))
def test_no_text_breaks_the_reading_of_times(text: str) -> None:
    moment(text)


def test_an_identity_is_sorted_out() -> None:
    host = identity(
        "192.0.2.1,2001:DB8::1", "Web1.Example.org.", "192.168.1.1001", ids=("7", None, "a b")
    )
    assert host.addresses == ("192.0.2.1", "2001:db8::1")
    assert host.names == ("web1.example.org",)
    assert host.ids == ("7",)


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        (
            "\nRemote package installed : kernel-4.14.314-237.533.amzn2\n"
            "Should be                : kernel-4.14.314-238.539.amzn2\n"
            "\nRemote package installed : kernel-tools-4.14.314-237.533.amzn2\n"
            "Should be                : kernel-tools-4.14.314-238.539.amzn2\n",
            [
                PackageEvidence("kernel", "4.14.314-237.533.amzn2", "4.14.314-238.539.amzn2"),
                PackageEvidence("kernel-tools", "4.14.314-237.533.amzn2", "4.14.314-238.539.amzn2"),
            ],
        ),
        (
            "Remote package installed : libssl1.1_1.1.1n-0+deb11u3\n"
            "Should be                : libssl1.1_1.1.1n-0+deb11u4\n",
            [PackageEvidence("libssl1.1", "1.1.1n-0+deb11u3", "1.1.1n-0+deb11u4")],
        ),
        (
            "  - Installed package : libc6_2.35-0ubuntu3.1\n"
            "  - Fixed package     : libc6_2.35-0ubuntu3.4\n",
            [PackageEvidence("libc6", "2.35-0ubuntu3.1", "2.35-0ubuntu3.4")],
        ),
        (
            "Vulnerable package:   libssl1.1\n"
            "Installed version:    libssl1.1-1.1.1n-0+deb11u3\n"
            "Fixed version:      >=libssl1.1-1.1.1n-0+deb11u4\n",
            [PackageEvidence("libssl1.1", "1.1.1n-0+deb11u3", "1.1.1n-0+deb11u4")],
        ),
        ("Installed version : 5.1.6\n    Fixed version : 5.2", []),
        ("Remote package installed : ", []),
    ],
)
def test_packages_are_found_in_the_output_of_local_checks(
    text: str, packages: list[PackageEvidence]
) -> None:
    assert packages_in(text) == tuple(packages)


def test_no_more_packages_are_kept_than_is_allowed() -> None:
    text = "\n".join(f"Installed package : p{number}_1" for number in range(10_000))
    assert len(packages_in(text)) == MAX_PACKAGES
