"""What tests say about a patch: those that passed before it have to pass ever after."""

from __future__ import annotations

import msgspec
import pytest

from suture.core.evidence import Check, Verdict
from suture.core.policies.suites import SuiteKind, SuitePolicy
from suture.core.policy import PolicyError, parse
from suture.core.suites import Suite, SuiteFile, SuiteRun, baseline, compare, unsound

PASS, FAIL, INCONCLUSIVE = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
SUITE = Suite("web", SuiteKind.GOSS, 60.0, "goss.yaml", (SuiteFile("goss.yaml", b"port: {}"),))


def _run(**verdicts: Verdict) -> SuiteRun:
    return SuiteRun.of("web", [Check(name, one, "why") for name, one in verdicts.items()])


def test_a_test_that_passed_before_the_patch_fails_by_name() -> None:
    checks = compare([_run(port=PASS, user=PASS)], [_run(port=FAIL, user=PASS)], "with the patch")
    assert checks == (
        Check("web: port, with the patch", FAIL, "why"),
        Check("web: user, with the patch", PASS, "why"),
    )


@pytest.mark.parametrize("before", [FAIL, INCONCLUSIVE])
def test_what_fails_before_the_patch_is_not_held_against_it(before: Verdict) -> None:
    runs = [_run(port=before, user=PASS)]
    assert baseline(runs)[0] == Check(
        "web: port, before the patch", INCONCLUSIVE, "not counted: why"
    )
    assert unsound(runs) == ""
    (only,) = compare(runs, [_run(port=FAIL, user=PASS)], "with the patch")
    assert only.name == "web: user, with the patch"


def test_a_test_that_does_not_run_any_more_is_unknown() -> None:
    (check,) = compare([_run(port=PASS)], [_run(user=PASS)], "with the patch")
    assert (check.verdict, check.detail) == (INCONCLUSIVE, "it did not run any more")


def test_a_suite_that_cannot_be_run_any_more_is_unknown() -> None:
    lost = SuiteRun("web", trouble="no end within 60 s")
    (check,) = compare([_run(port=PASS, user=PASS)], [lost], "with the patch")
    assert check == Check("web, with the patch", INCONCLUSIVE, "no end within 60 s")


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (SuiteRun("web", trouble="there is no goss on the twin"), "there is no goss on the twin"),
        (SuiteRun.of("web", ()), "it has no test"),
        (_run(port=FAIL, user=INCONCLUSIVE), "web: port: why"),
    ],
)
def test_what_proves_nothing_is_said(run: SuiteRun, why: str) -> None:
    assert why in unsound([run])


def test_of_tests_with_one_name_the_worst_counts() -> None:
    run = SuiteRun.of("web", [Check("port", PASS), Check("port", FAIL), Check("port", PASS)])
    assert [check.verdict for check in run.checks] == [FAIL]


@pytest.mark.parametrize(
    "other",
    [
        {"files": (SuiteFile("goss.yaml", b"port: {x}"),)},
        {"files": (SuiteFile("goss.yaml", b"port: {}", executable=True),)},
        {"goss": b"another"},
        {"timeout_s": 61.0},
        {"python": "/opt/bin/python"},
    ],
)
def test_whatever_a_suite_is_made_of_changes_its_digest(other: dict[str, object]) -> None:
    assert msgspec.structs.replace(SUITE, **other).digest != SUITE.digest


def test_a_key_that_belongs_to_another_kind_is_refused() -> None:
    text = "suites:\n  - {name: a, on: web, kind: command, path: /s, goss: /g}\n"
    with pytest.raises(PolicyError, match=r"p:2: suites\[0\]: goss is for suites of kind goss"):
        parse(text, name="p")
    with pytest.raises(ValueError, match="timeout"):
        SuitePolicy(name="a", on="web", kind=SuiteKind.GOSS, path="/s", timeout="0s")


def test_two_suites_cannot_have_one_name() -> None:
    one = "  - {name: a, on: web, kind: command, path: /s}\n"
    with pytest.raises(PolicyError, match="two suites are called `a`"):
        parse("suites:\n" + one + one, name="p")
