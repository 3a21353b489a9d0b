"""Findings that someone accepts for a time."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.assessment.exceptions import RiskException, expiring, split
from tests.unit.core.builders import host
from tests.unit.core.priority.test_ranking import finding

TODAY = date(2026, 3, 2)
HOSTS = {
    "web": host("web", labels=("production",), service="shop"),
    "db": host("db"),
}


def exception(**fields: Any) -> RiskException:
    defaults: dict[str, Any] = {
        "id": "e1",
        "owner": "ada",
        "reason": "not reachable",
        "since": date(2026, 3, 1),
        "expires": date(2026, 4, 1),
        "cve": "" if "package" in fields else "CVE-2026-0001",
    }
    return RiskException(**defaults | fields)


def accepted(*exceptions: RiskException, at: date = TODAY) -> list[tuple[str, str]]:
    findings = [finding(), finding(host="db"), finding("CVE-2026-0002", source="curl")]
    found = split(findings, exceptions, hosts=HOSTS, at=at)
    assert len(found.open) + len(found.excepted) == len(findings)
    return [(one.finding.cve[-1], one.finding.host) for one in found.excepted]


@pytest.mark.parametrize(
    ("fields", "covered"),
    [
        ({}, [("1", "web"), ("1", "db")]),
        ({"on": "production"}, [("1", "web")]),
        ({"on": "shop"}, [("1", "web")]),
        ({"on": "d*"}, [("1", "db")]),
        ({"package": "cur*"}, [("2", "web")]),
        ({"package": "nginx", "cve": "CVE-2026-0002"}, [("2", "web")]),
        ({"package": "nginx", "cve": "CVE-2026-0003"}, []),
    ],
)
def test_an_exception_covers_its_scope(
    fields: dict[str, Any], covered: list[tuple[str, str]]
) -> None:
    assert accepted(exception(**fields)) == covered


@given(st.dates(date(2026, 1, 1), date(2026, 6, 1)))
def test_findings_come_back_by_themselves(at: date) -> None:
    assert bool(accepted(exception(), at=at)) is (date(2026, 3, 1) <= at < date(2026, 4, 1))


def test_of_several_the_one_that_lasts_longest_is_named() -> None:
    short, long = exception(), exception(id="e2", expires=date(2026, 5, 1), package="nginx")
    (one,) = split([finding()], [short, long], hosts={}, at=TODAY).excepted
    assert one.exception is long


def test_a_host_that_is_not_described_is_matched_by_its_name() -> None:
    (one,) = split([finding()], [exception(on="web")], hosts={}, at=TODAY).excepted
    assert one.finding.host == "web"
    assert split([finding()], [exception(on="shop")], hosts={}, at=TODAY).excepted == ()


def test_what_comes_back_soon_is_told() -> None:
    soon = exception(expires=TODAY + timedelta(days=7), on="db")
    later = exception(id="e2", expires=TODAY + timedelta(days=8), on="web")
    found = split([finding(), finding(host="db")], [later, soon], hosts=HOSTS, at=TODAY)
    (first,) = expiring(found.excepted, at=TODAY, within=timedelta(days=7))
    assert first.exception is soon
    both = expiring(found.excepted, at=TODAY, within=timedelta(days=8))
    assert [one.exception for one in both] == [soon, later]


@pytest.mark.parametrize(
    "fields",
    [
        {"cve": ""},
        {"owner": ""},
        {"reason": ""},
        {"expires": date(2026, 3, 1)},
    ],
)
def test_an_exception_without_scope_owner_reason_or_time_is_none(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="an exception"):
        exception(**fields)
