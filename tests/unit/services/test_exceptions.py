"""Exceptions: added by name, in force for a time, kept for the record."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from suture.core.assessment.exceptions import RiskException
from suture.services import evidence, exceptions, fleet
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, ServiceError
from suture.services.workspace import Workspace
from suture.store import exceptions as stored


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, f"sqlite:///{tmp_path}/s.sqlite")


def add(place: Workspace, **fields: Any) -> RiskException:
    defaults: dict[str, Any] = {
        "cve": "cve-2026-0001",
        "package": "",
        "on": "web-*",
        "owner": "Kim",
        "reason": "not reachable",
        "until": clock().date() + timedelta(days=30),
        "control": "firewall",
        "actor": "alex",
    }
    return exceptions.add(place, **defaults | fields)


def test_an_exception_is_listed_until_it_is_removed(place: Workspace) -> None:
    made = add(place)
    assert (made.id, made.cve) == ("EX-1", "CVE-2026-0001")
    assert add(place, cve="", package="linux-*").id == "EX-2"
    first, _ = exceptions.listing(place)
    assert (first.exception, first.in_force, first.days_left) == (made, True, 30)
    exceptions.remove(place, "ex-1", "alex")
    assert [one.exception.id for one in exceptions.listing(place)] == ["EX-2"]
    with pytest.raises(NotFoundError, match="no exception 'EX-1'"):
        exceptions.remove(place, "EX-1", "alex")
    assert add(place).id == "EX-3"
    assert add(place, cve="xsa-213").cve == "XSA-213"


def test_what_was_accepted_when_can_be_asked(place: Workspace) -> None:
    before = clock()
    add(place)
    during = clock()
    exceptions.remove(place, "EX-1", "alex")
    with fleet.opened(place) as store, store.read() as connection:
        assert stored.listing(connection, known_at=before) == ()
        assert len(stored.listing(connection, known_at=during)) == 1
        assert stored.listing(connection) == ()


def test_it_is_on_the_record(place: Workspace) -> None:
    add(place)
    exceptions.remove(place, "EX-1", "alex")
    assert evidence.verify(place).events == 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"cve": "2026-1"}, "not a CVE"),
        ({"cve": ""}, "for a CVE or for a package"),
        ({"until": date(2020, 1, 1)}, "ends after it begins"),
        ({"owner": "a\nb"}, "owner is not one line"),
        ({"reason": ""}, "an owner and a reason"),
    ],
)
def test_a_wrong_word_is_named(place: Workspace, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceError, match=message):
        add(place, **fields)
    assert exceptions.listing(place) == ()
