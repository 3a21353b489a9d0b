"""Narrowing down which package does the harm."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.twin.suspects import harm, narrow

_SOURCES = tuple(f"s{number:02}" for number in range(20))


class Machine:
    """Fails with any of ``culprits`` (all of them where ``together``) installed."""

    def __init__(self, *culprits: str, together: bool = False) -> None:
        self._culprits = set(culprits)
        self._judge = all if together else any
        self.tries = 0

    async def attempt(self, sources: tuple[str, ...]) -> Verdict:
        self.tries += 1
        hurt = self._judge(culprit in sources for culprit in self._culprits)
        return Verdict.FAIL if hurt else Verdict.PASS


@given(st.sampled_from(_SOURCES), st.integers(1, 20))
async def test_one_culprit_is_found_in_few_tries(culprit: str, count: int) -> None:
    sources = tuple({culprit, *_SOURCES[:count]})
    machine = Machine(culprit)
    assert await narrow(sources, machine.attempt, tries=8) == (culprit,)
    assert machine.tries <= 6


@given(st.sampled_from(_SOURCES), st.integers(0, 8))
async def test_the_culprit_is_never_cleared_however_few_the_tries(culprit: str, tries: int) -> None:
    machine = Machine(culprit)
    assert culprit in await narrow(_SOURCES, machine.attempt, tries=tries)
    assert machine.tries <= tries


async def test_harm_that_needs_two_blames_no_single_one() -> None:
    machine = Machine("s01", "s15", together=True)
    found = await narrow(_SOURCES, machine.attempt, tries=8)
    assert {"s01", "s15"} <= set(found)


@given(st.sampled_from(_SOURCES), st.integers(1, 4))
async def test_where_a_half_cannot_be_tried_the_other_one_tells(culprit: str, silent: int) -> None:
    machine = Machine(culprit)

    async def attempt(sources: tuple[str, ...]) -> Verdict:
        verdict = await machine.attempt(sources)
        return Verdict.INCONCLUSIVE if machine.tries == silent else verdict

    assert await narrow(_SOURCES, attempt, tries=8) == (culprit,)


async def test_two_inconclusive_tries_end_the_search() -> None:
    async def attempt(_: tuple[str, ...]) -> Verdict:
        return Verdict.INCONCLUSIVE

    assert await narrow(_SOURCES, attempt, tries=8) == _SOURCES


def _report(step: Step, *failed: str) -> StepReport:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    checks = tuple(Check(name, Verdict.FAIL, "no") for name in failed)
    sound = Check("sound", Verdict.PASS, "yes")
    return StepReport("web1", step, Verdict.FAIL, now, 1.0, checks=(sound, *checks))


def test_harm_is_what_failed_and_the_step_where_nothing_did() -> None:
    assert harm([_report(Step.VERIFY, "http", "failed units")]) == {"http", "failed units"}
    assert harm([_report(Step.APPLY)]) == {"apply"}
    found = Check("vulnerabilities closed earlier", Verdict.FAIL, "no")
    assert harm([], (found, Check("sound", Verdict.PASS, "yes"))) == {found.name}
