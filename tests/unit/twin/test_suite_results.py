"""The reports of goss and pytest, recorded and hostile."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suture.core.evidence import Check, Verdict
from suture.reading import UnreadableError
from suture.twin.suite_results import MOST_BYTES, MOST_TESTS, of_goss, of_junit

RECORDED = Path(__file__).parents[2] / "recorded" / "suites"
PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE


def test_each_result_of_goss_is_a_check() -> None:
    checks = of_goss((RECORDED / "goss.json").read_bytes())
    assert [(check.name, check.verdict) for check in checks] == [
        ("Service nginx: running", PASS),
        ("Port tcp:443: listening", FAIL),
        ("Port tcp:443: ip", INCONCLUSIVE),
    ]
    assert "Expected <bool>: false to equal <bool>: true" in checks[1].detail


def test_each_case_of_pytest_is_a_check_without_the_address_of_the_twin() -> None:
    checks = of_junit((RECORDED / "testinfra.xml").read_bytes())
    assert [(check.name, check.verdict) for check in checks] == [
        ("test_web::test_passwd_is_there", PASS),
        ("test_web::test_shadow_is_private", FAIL),
        ("test_web::test_user[root]", PASS),
        ("test_web::test_user[nobody-at-all]", FAIL),
        ("test_web::test_port", INCONCLUSIVE),
        ("test_web::test_broken", FAIL),
    ]
    assert checks[1].detail.startswith("AssertionError: assert 416 == 388")
    assert checks[4].detail == "skipped: no web server here"


def test_a_file_that_cannot_be_imported_fails() -> None:
    (check,) = of_junit((RECORDED / "testinfra-unreadable.xml").read_bytes())
    assert check == Check("test_web", FAIL, "collection failure")


def test_what_is_said_is_safe_to_show_and_short() -> None:
    result = {"successful": False, "resource-id": "a\x1b[2J\u202e", "summary-line": "x" * 10**5}
    (check,) = of_goss(json.dumps({"results": [result]}).encode())
    assert "\x1b" not in check.name
    assert "\u202e" not in check.name
    assert len(check.detail) <= 300


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"goss: no such file",
        b'{"results": [{"successful": "yes"}]}',
        b'{"results": ' + b"[" * 10_000,
        json.dumps({"results": [{"successful": True}] * (MOST_TESTS + 1)}).encode(),
        b"{" + b" " * MOST_BYTES + b"}",
    ],
)
def test_no_report_of_goss_is_no_result(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        of_goss(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<testsuites><testcase>",
        b'<!DOCTYPE t [<!ENTITY a "b">]><testsuites>&a;</testsuites>',
        b"<t>" * 1000 + b"</t>" * 1000,
        b"<t>" + b"<testcase/>" * (MOST_TESTS + 1) + b"</t>",
        b"<t>" + b" " * MOST_BYTES + b"</t>",
    ],
)
def test_no_report_of_pytest_is_no_result(data: bytes) -> None:
    with pytest.raises(UnreadableError):
        of_junit(data)
