"""The catalogue of known exploited vulnerabilities."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from suture.core.intelligence.enrichment import Enrichment, KnownExploited
from suture.feeds import cisa
from suture.reading import UnreadableError
from tests.unit.feeds.sources import RECORDED, damaged, recorded, written

CATALOG = (RECORDED / "cisa/known_exploited_vulnerabilities.json").read_bytes()


def test_an_entry_says_when_it_is_due_and_whether_ransomware_uses_it() -> None:
    load_master, log4shell = cisa.parse(recorded("cisa/known_exploited_vulnerabilities.json"))
    assert load_master == Enrichment(
        cve="CVE-2026-8037",
        kev=KnownExploited(
            date(2026, 8, 7),
            due=date(2026, 8, 10),
            ransomware=None,
            action=load_master.kev.action if load_master.kev else "",
        ),
        cwe=("CWE-77",),
        description=load_master.description,
        references=load_master.references,
    )
    assert load_master.kev is not None
    assert load_master.kev.action.startswith("Apply mitigations in accordance")
    assert len(load_master.references) == 4
    assert log4shell.kev is not None
    assert (log4shell.kev.added, log4shell.kev.ransomware) == (date(2021, 12, 10), True)


def with_entry(**fields: Any) -> bytes:
    catalog = json.loads(CATALOG)
    catalog["vulnerabilities"][0] |= fields
    return json.dumps(catalog).encode()


@pytest.mark.parametrize(
    "broken",
    [
        with_entry(cveID="CVE-26-8037"),
        with_entry(dateAdded="yesterday"),
        with_entry(cwes="CWE-77"),
        json.dumps(json.loads(CATALOG) | {"count": 1662}).encode(),
        CATALOG[:-20],
        b"<html>",
        b"",
    ],
)
def test_what_is_broken_is_refused(tmp_path: Path, broken: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"kev\.json"):
        list(cisa.parse(written(tmp_path, "kev.json", broken)))


def test_a_due_date_that_is_none_is_not_known(tmp_path: Path) -> None:
    (one, _) = cisa.parse(written(tmp_path, "kev.json", with_entry(dueDate="")))
    assert one.kev is not None and one.kev.due is None


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(CATALOG))
def test_a_damaged_catalogue_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    try:
        records = list(cisa.parse(written(tmp_path, "kev.json", content)))
    except UnreadableError:
        return
    assert all(record.kev is not None for record in records)
