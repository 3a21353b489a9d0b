"""What people say to a rollout, and what is refused."""

import pytest

from suture.core.rollout.signals import apply_signal
from suture.core.rollout.state import RolloutState, Signal
from suture.core.rollout.transitions import RefusedError, close_wave, finish, pause, start
from tests.unit.core.builders import NOW, plan, wave

PLAN = plan([wave(0, ["a", "b"]), wave(1, ["c"], approval=True)])


@pytest.fixture
def fresh() -> RolloutState:
    return start(PLAN, "r")


def test_signals_that_make_no_sense_are_refused(fresh: RolloutState) -> None:
    paused = apply_signal(PLAN, fresh, Signal.PAUSE, NOW, "lunch")
    aborted = apply_signal(PLAN, fresh, Signal.ABORT, NOW)
    refused = [
        (fresh, Signal.RESUME, "nothing to resume"),
        (fresh, Signal.APPROVE, "no wave waits for approval"),
        (paused, Signal.PAUSE, "paused already: lunch"),
        *((aborted, signal, "the rollout is aborted; make a new plan") for signal in Signal),
        (finish(fresh), Signal.ABORT, "the rollout is done"),
    ]
    for state, signal, message in refused:
        with pytest.raises(RefusedError, match=message):
            apply_signal(PLAN, state, signal, NOW)


def test_approval_is_given_once_and_while_paused_too(fresh: RolloutState) -> None:
    state = pause(close_wave(fresh, 0, NOW), "lunch")
    approved = apply_signal(PLAN, state, Signal.APPROVE, NOW)
    assert [one.wave for one in approved.approvals] == [1]
    with pytest.raises(RefusedError, match="no wave waits"):
        apply_signal(PLAN, approved, Signal.APPROVE, NOW)


def test_resuming_a_pause_without_trouble_changes_only_the_status(fresh: RolloutState) -> None:
    assert apply_signal(PLAN, pause(fresh, "lunch"), Signal.RESUME, NOW) == fresh
