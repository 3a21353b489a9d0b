"""Each rule finds its problem in a plan that was edited by hand, and nothing in a good one."""

from typing import Any

import pytest
from msgspec.structs import replace

from suture.core.documents import digest
from suture.core.planning.gates import Canary, Gate, Source
from suture.core.planning.hooks import Hook, HookPhase, Place
from suture.core.planning.lint import ProblemSeverity, has_errors, lint
from suture.core.planning.plan import Apart, HeldBack, LeftOut, Plan, ServiceLimit
from suture.core.planning.windows import Window
from suture.core.selection.ledger import Action, Change, Ledger, LedgerEntry, Reason
from tests.unit.core import builders
from tests.unit.core.builders import change, host_plan, ledger, plan, wave, with_host

GOOD = plan([wave(0, ["a"]), wave(1, ["b", "c", "d"])], {"web": (["a", "b"], 1)}, jumps={"c": "j"})


def codes(broken: Plan) -> set[str]:
    return {problem.code for problem in lint(broken)}


def changed(*changes: Change, **fields: Any) -> Plan:
    """GOOD with other changes on host ``a``, its digest and ledger to match."""
    defaults = {"changes": changes, "patch_set": digest(changes), "ledger": ledger(changes)}
    return with_host(GOOD, "a", **defaults | fields)


NIGHT = Window(name="nights", rule="FREQ=DAILY", start="22:00", duration="2h")


def timed(drop: int = 0, **fields: Any) -> Plan:
    """GOOD with times for its hosts, but for the first ``drop``."""
    whole = builders.timed(GOOD, [NIGHT], **fields)
    assert whole.timetable
    return replace(whole, timetable=replace(whole.timetable, hosts=whole.timetable.hosts[drop:]))


def test_a_good_plan_with_times_has_no_problem() -> None:
    assert lint(timed()) == ()


def waves(*made: Any) -> Plan:
    return replace(GOOD, waves=made)


def test_a_good_plan_has_no_problem() -> None:
    assert lint(GOOD) == ()


def test_an_empty_plan_has_no_problem() -> None:
    assert lint(plan([])) == ()


ENTRY = LedgerEntry("bash", "amd64", "5.1", "5.2", Reason.HELD)


@pytest.mark.parametrize(
    ("code", "broken"),
    [
        ("duplicate-host", replace(GOOD, hosts=(*GOOD.hosts, GOOD.hosts[0]))),
        ("host-waves", replace(GOOD, hosts=(*GOOD.hosts, host_plan("e")))),
        ("host-waves", waves(GOOD.waves[0], wave(1, ["a", "b", "c", "d"]))),
        ("unplanned-host", waves(GOOD.waves[0], wave(1, ["b", "c", "d", "e"]))),
        ("left-out-host", replace(GOOD, left_out=(LeftOut("a", "why"),))),
        ("host-ring", with_host(GOOD, "a", ring="other")),
        ("wave-index", waves(GOOD.waves[0], replace(GOOD.waves[1], index=0))),
        ("wave-limits", waves(GOOD.waves[0], replace(GOOD.waves[1], parallel=0))),
        ("wave-limits", waves(GOOD.waves[0], replace(GOOD.waves[1], max_failures=-1))),
        ("wave-limits", waves(GOOD.waves[0], replace(GOOD.waves[1], soak_s=-1.0))),
        ("wave-limits", waves(GOOD.waves[0], replace(GOOD.waves[1], min_verified=101))),
        ("gate", waves(replace(GOOD.waves[0], gate=Gate(0.0)), GOOD.waves[1])),
        ("hooks", with_host(GOOD, "a", hooks=(Hook(HookPhase.DRAIN, Place.HOST, "x", 1.0),))),
        ("hooks", with_host(GOOD, "a", hooks=(Hook(HookPhase.AFTER, Place.HOST, " ", 1.0),))),
        ("wave-limits", waves(GOOD.waves[0], replace(GOOD.waves[1], wait_s=-1.0))),
        ("reboot-budget", with_host(GOOD, "a", reboot_budget_s=0.0)),
        ("service-unlimited", replace(GOOD, services=())),
        ("service-limit", replace(GOOD, services=(ServiceLimit("web", ("a", "b"), 0),))),
        ("service-limit", replace(GOOD, services=(ServiceLimit("web", ("a", "b"), 2),))),
        ("jump-unlimited", replace(GOOD, jump_limits=())),
        ("host-times", timed(drop=1)),
        ("host-times", replace(timed(), hosts=GOOD.hosts[1:])),
        ("host-reserve", timed(reserve_s=0.0)),
        ("unknown-window", timed(windows=("nights", "days"))),
        ("no-window", timed(takes_s=7200.0)),
        ("jump-limit", replace(GOOD, jump_limits=(("j", 0),))),
        ("start-rate", replace(GOOD, starts_per_minute=0)),
        ("package-set", with_host(GOOD, "a", package_set="")),
        ("patch-set", with_host(GOOD, "a", patch_set="0" * 64)),
        ("no-changes", changed()),
        ("duplicate-package", changed(change(), change(after="1.22.1-9+deb12u2"))),
        ("unverified-package", changed(change(sha256="0" * 63))),
        ("unverified-package", changed(change(sha256="G" * 64))),
        ("unverified-package", changed(change(size=0))),
        ("unverified-package", changed(change(filename=""))),
        ("removal", changed(change(after=""))),
        ("action", changed(change(action=Action.INSTALL))),
        ("action", changed(change(before=None))),
        ("downgrade", changed(change(after="1.22.1-8"))),
        ("downgrade", changed(change(after="1.22.1-9"))),
        ("ledger-sum", with_host(GOOD, "a", ledger=Ledger(2, ledger((change(),)).entries))),
        ("ledger-changes", with_host(GOOD, "a", ledger=Ledger(1, (ENTRY,)))),
        ("ledger-changes", changed(change(), ledger=ledger((change(), change("vim"))))),
        (
            "held-back",
            replace(GOOD, held_back=(HeldBack("nginx", "1.22.1-9+deb12u1", "it broke"),)),
        ),
    ],
)
def test_errors(code: str, broken: Plan) -> None:
    assert code in codes(broken)
    assert has_errors(lint(broken))


@pytest.mark.parametrize(
    ("code", "doubtful"),
    [
        ("empty-wave", waves(*GOOD.waves, wave(2, []))),
        ("failure-limit", waves(GOOD.waves[0], replace(GOOD.waves[1], max_failures=3))),
        ("no-soak", waves(replace(GOOD.waves[0], soak_s=0.0), GOOD.waves[1])),
        ("one-wave", plan([wave(0, ["a", "b"])])),
        ("blast-radius", plan([wave(0, ["a", "b"]), wave(1, ["c", "d"])])),
        ("whole-service", plan([wave(0, ["a", "b"]), wave(1, ["c"])], {"web": (["a", "b"], 1)})),
        (
            "gate-controls",
            plan([wave(0, ["a"], gate=Gate(30.0, Canary(Source.PROC, 0.1))), wave(1, ["b"])]),
        ),
        ("single-member", plan([wave(0, ["a"])], {"web": (["a"], 1)})),
        ("no-checks", with_host(GOOD, "a", checks=())),
    ],
)
def test_warnings(code: str, doubtful: Plan) -> None:
    assert code in codes(doubtful)
    assert not has_errors(lint(doubtful))


def test_a_new_package_that_the_plan_declares_is_fine() -> None:
    new = change("libnew", before=None, action=Action.INSTALL, reason=Reason.REQUIRED)
    assert lint(changed(change(), new)) == ()


def test_a_version_that_is_none_is_reported_and_does_not_crash() -> None:
    assert "bad-version" in codes(changed(change(after="not a version")))


def test_errors_come_first_and_every_problem_has_a_remedy() -> None:
    problems = lint(replace(with_host(GOOD, "a", checks=()), jump_limits=()))
    assert [problem.severity for problem in problems] == [
        ProblemSeverity.ERROR,
        ProblemSeverity.WARNING,
    ]
    assert all(problem.remedy and problem.message and problem.where for problem in problems)


def test_a_quorum_that_cannot_hold_and_a_host_that_would_have_to_be_apart_from_itself() -> None:
    whole = plan([wave(0, ["a"]), wave(1, ["b"])])
    broken = ServiceLimit(
        "web", ("a", "b", "c"), 1, quorum=3, apart=(Apart("r1", ("a", "x")), Apart("r2", ("a",)))
    )
    found = {
        (one.code, one.message)
        for one in lint(replace(whole, services=(broken,)))
        if one.code in ("service-quorum", "anti-affinity")
    }
    assert found == {
        ("service-quorum", "max_out 1 of 3 members leaves fewer than the quorum of 3"),
        ("anti-affinity", "a has the labels r1, r2"),
        ("anti-affinity", "x is no member"),
    }
