"""Which of several source packages does the harm, found by trying fewer of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from suture.core.evidence import Check, StepReport, Verdict

Try = Callable[[tuple[str, ...]], Awaitable[Verdict]]


async def narrow(sources: tuple[str, ...], attempt: Try, *, tries: int) -> tuple[str, ...]:
    """The fewest of ``sources`` that are known to hold the culprit.

    ``attempt`` tells how a set of them fares by itself; all together failed. One culprit is
    assumed, and what remains after a half has passed is tried before it is blamed. Where a half
    is inconclusive, the other one is tried; where that is, too, or the harm needs several, all
    that was left by then is returned.
    """
    suspects = blamed = sources
    while len(suspects) > 1 and tries > 0:
        half, rest = suspects[: len(suspects) // 2], suspects[len(suspects) // 2 :]
        verdict = await attempt(half)
        tries -= 1
        if verdict is Verdict.INCONCLUSIVE and tries > 0:
            half, rest = rest, half
            verdict = await attempt(half)
            tries -= 1
        if verdict is Verdict.INCONCLUSIVE:
            return blamed
        if verdict is Verdict.FAIL:
            suspects = blamed = half
        else:
            suspects = rest
    if suspects != blamed and tries > 0 and await attempt(suspects) is Verdict.FAIL:
        blamed = suspects
    return blamed


def harm(reports: Iterable[StepReport], more: Iterable[Check] = ()) -> set[str]:
    """The checks that failed; the step where it failed without one. ``more`` are checks that
    belong to no step."""
    found = {check.name for check in more if check.verdict is Verdict.FAIL}
    for report in reports:
        if report.verdict is Verdict.FAIL:
            failed = {check.name for check in report.checks if check.verdict is Verdict.FAIL}
            found |= failed or {report.step.value}
    return found
