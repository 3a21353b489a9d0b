"""What the reports of a host's steps amount to, hooks among them."""

from typing import Any

import pytest

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.rollout.outcomes import (
    after_patching,
    after_undrain,
    after_way_back,
    is_away,
    left_drained,
    suspects,
)
from suture.core.rollout.state import HostPhase
from suture.core.rollout.ways_back import WayBack
from tests.unit.core.builders import NOW


def report(step: Step, verdict: Verdict = Verdict.PASS, **fields: Any) -> StepReport:
    reason = "" if verdict is Verdict.PASS else "why"
    return StepReport("a", step, verdict, NOW, 1.0, reason, **fields)


def test_a_drain_that_fails_leaves_the_host_alone() -> None:
    reports = [report(Step.BUNDLE), report(Step.DRAIN, Verdict.FAIL)]
    assert after_patching(reports) == (
        HostPhase.SKIPPED,
        "left alone, nothing was changed; drain: why",
    )


def test_an_after_hook_that_fails_is_a_failure_of_the_patch() -> None:
    reports = [report(Step.APPLY, changed_host=True), report(Step.AFTER, Verdict.FAIL)]
    assert after_patching(reports) == (HostPhase.FAILED, "after: why")


def test_a_way_back_is_judged_by_its_own_check_whatever_became_of_the_drain() -> None:
    drain = report(Step.DRAIN_ROLL_BACK, Verdict.FAIL)
    well = [drain, report(Step.ROLL_BACK), report(Step.VERIFY_ROLL_BACK)]
    assert after_way_back(well)[0] is HostPhase.ROLLED_BACK
    unknown = [drain, report(Step.ROLL_BACK), report(Step.VERIFY_ROLL_BACK, Verdict.INCONCLUSIVE)]
    assert after_way_back(unknown)[0] is HostPhase.LOST


def test_a_way_back_that_changed_nothing_leaves_the_host_as_it_stood() -> None:
    refused = [report(Step.ROLL_BACK, Verdict.FAIL), report(Step.VERIFY_ROLL_BACK, Verdict.FAIL)]
    assert after_way_back(refused, WayBack(), HostPhase.DONE) == (
        HostPhase.DONE,
        "still patched: the way back was refused and changed nothing; roll-back: why",
    )
    assert after_way_back(refused)[0] is HostPhase.ROLLBACK_FAILED, "nobody asked for it"
    amid = [report(Step.ROLL_BACK, Verdict.FAIL, changed_host=True), refused[1]]
    assert after_way_back(amid, WayBack(), HostPhase.DONE)[0] is HostPhase.ROLLBACK_FAILED
    well = [refused[0], report(Step.VERIFY_ROLL_BACK)]
    assert after_way_back(well, WayBack(), HostPhase.LOST)[0] is HostPhase.ROLLED_BACK


@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (HostPhase.DONE, HostPhase.LOST),
        (HostPhase.SKIPPED, HostPhase.LOST),
        (HostPhase.ROLLED_BACK, HostPhase.LOST),
        (HostPhase.FAILED, HostPhase.FAILED),
        (HostPhase.ROLLBACK_FAILED, HostPhase.ROLLBACK_FAILED),
    ],
)
def test_a_host_that_is_not_put_back_is_not_well(phase: HostPhase, after: HostPhase) -> None:
    assert after_undrain(phase, "so", report(Step.UNDRAIN)) == (phase, "so")
    assert after_undrain(phase, "so", report(Step.UNDRAIN, Verdict.FAIL)) == (
        after,
        "so; it is not known to serve again; undrain: why",
    )


def test_only_steps_that_failed_name_suspects() -> None:
    fine = report(Step.RESTART, suspects=("curl",))
    bad = report(Step.VERIFY, Verdict.FAIL, suspects=("nginx", "curl"))
    assert suspects([fine]) == ()
    assert suspects([fine, bad]) == ("curl", "nginx")


def test_a_host_was_away_where_it_did_not_answer_and_was_left_alone() -> None:
    gone = report(Step.ACQUIRE, Verdict.INCONCLUSIVE, unreachable=True)
    assert is_away(HostPhase.SKIPPED, [gone])
    assert not is_away(HostPhase.LOST, [gone])
    assert not is_away(HostPhase.SKIPPED, [report(Step.PREFLIGHT, Verdict.FAIL)])


def test_a_lost_host_says_that_it_is_drained_and_how_it_serves_again() -> None:
    assert left_drained("so", "r1", "web1", is_drained=False) == "so"
    sure = left_drained("so", "r1", "web1", is_drained=True)
    assert sure.startswith("so; it is still drained: ")
    assert sure.endswith("suture rollback r1 --host web1")
    assert "it may be drained" in left_drained("so", "r1", "web1", is_drained=None)
