"""What every step's report says, whatever the step."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest

from suture.core.evidence import Step, Verdict
from suture.hosts.session import PatchSession
from suture.hosts.steps import Outcome, perform
from suture.hosts.transport import Transport
from tests.unit.core import builders


def _nowhere() -> AbstractAsyncContextManager[Transport]:
    raise AssertionError("no host is asked")


@pytest.mark.parametrize("mutates", [True, False])
async def test_a_reboot_amid_a_step_that_changes_nothing_changed_nothing(mutates: bool) -> None:
    async def interrupted() -> Outcome:
        return Outcome(Verdict.FAIL, "interrupted by a reboot", changed_host=True)

    session = PatchSession(
        plan=builders.host_plan("web1"),
        plan_id="r1",
        connect=_nowhere,
        now=lambda: datetime(2026, 11, 24, tzinfo=UTC),
    )
    report = await perform(session, Step.BUNDLE, interrupted, transaction=True, mutates=mutates)
    assert report.changed_host is mutates
