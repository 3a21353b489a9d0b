"""What a host's step reports amount to: the phase that its work ended in."""

from __future__ import annotations

from collections.abc import Sequence

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.rollout.state import HostPhase
from suture.core.rollout.ways_back import WayBack


def after_patching(reports: Sequence[StepReport]) -> tuple[HostPhase, str]:
    """The phase after the steps that were run, in order, up to the first that did not pass.

    A host that may have been changed and is not well has FAILED; one that may have been changed
    and cannot be judged is LOST, which is neither well nor taken back on a guess.
    """
    last = reports[-1]
    changed = any(report.changed_host for report in reports)
    if last.verdict is Verdict.PASS:
        return HostPhase.DONE, _and("patched and verified", last)
    reason = f"{last.step.value}: {last.reason or last.verdict.value}"
    if not changed:
        return HostPhase.SKIPPED, f"left alone, nothing was changed; {reason}"
    if last.verdict is Verdict.FAIL:
        return HostPhase.FAILED, reason
    return HostPhase.LOST, f"its state is unknown; {reason}"


def suspects(reports: Sequence[StepReport]) -> tuple[str, ...]:
    """The source packages that steps which failed held responsible, sorted."""
    failed = (one for one in reports if one.verdict is Verdict.FAIL)
    return tuple(sorted({name for one in failed for name in one.suspects}))


def is_away(phase: HostPhase, reports: Sequence[StepReport]) -> bool:
    """Whether a host was left alone because it did not answer, so that another time it may."""
    return phase is HostPhase.SKIPPED and any(report.unreachable for report in reports)


def after_undrain(phase: HostPhase, reason: str, report: StepReport) -> tuple[HostPhase, str]:
    """The phase after a host was put back into its service. One that could not be is not well,
    whatever it is by itself: nobody knows whether it serves."""
    if report.verdict is Verdict.PASS:
        return phase, reason
    if phase in (HostPhase.DONE, HostPhase.SKIPPED, HostPhase.ROLLED_BACK):
        phase = HostPhase.LOST
    return phase, f"{reason}; it is not known to serve again; {report.step.value}: {report.reason}"


def left_drained(reason: str, rollout: str, host: str, is_drained: bool | None) -> str:
    """Why a host is LOST, and how it gets back into its service: nobody puts one there whose
    state is unknown. ``is_drained`` is None where that is not known either."""
    if is_drained is False:
        return reason
    return (
        f"{reason}; it {'is still' if is_drained else 'may be'} drained: when it is well, run its "
        f"undrain hook, or take it back, which undrains it: suture rollback {rollout} --host {host}"
    )


def refusal(reports: Sequence[StepReport]) -> str:
    """Why a way back was not begun, empty where it was, or where the host is as before anyway."""
    verdicts = {one.step: one.verdict for one in reports}
    back = next((one for one in reports if one.step is Step.ROLL_BACK), None)
    if back is None or back.verdict is not Verdict.FAIL or back.changed_host:
        return ""
    return "" if verdicts.get(Step.VERIFY_ROLL_BACK) is Verdict.PASS else back.reason


def after_way_back(
    reports: Sequence[StepReport], how: WayBack | None = None, stood: HostPhase | None = None
) -> tuple[HostPhase, str]:
    """The phase after the way back: proved by its check, whatever the way there reported. The
    way back waits for no hook, so a host that could not be drained is taken back all the same.

    One that a person asked for and that changed nothing leaves the host as it ``stood``.
    """
    if why := refusal(reports):
        still = "still patched: " if stood is HostPhase.DONE else ""
        reason = f"{still}the way back was refused and changed nothing; roll-back: {why}"
        return stood or HostPhase.ROLLBACK_FAILED, reason
    reports = [one for one in reports if one.step is not Step.DRAIN_ROLL_BACK]
    check = next((one for one in reports if one.step is Step.VERIFY_ROLL_BACK), None)
    if check is not None and check.verdict is Verdict.PASS:
        well = "as it was before, verified"
        if how and how.is_partial:
            well = f"{', '.join(how.sources)} {well}; the rest stays patched"
        return HostPhase.ROLLED_BACK, _and(well, check)
    worst = next((one for one in reports if one.verdict is not Verdict.PASS), reports[-1])
    reason = f"{worst.step.value}: {worst.reason or worst.verdict.value}"
    if all(one.verdict is not Verdict.FAIL for one in reports):
        return HostPhase.LOST, f"its state is unknown; {reason}"
    return HostPhase.ROLLBACK_FAILED, reason


def _and(well: str, report: StepReport) -> str:
    return f"{well}; {report.reason}" if report.reason else well
