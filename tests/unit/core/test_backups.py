"""Until when bundles stay, and which rollouts need them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from suture.core.backups import Bundle, Retention, kept, needs_bundles
from suture.core.rollout.state import HostPhase
from suture.core.rollout.transitions import close_wave, host_finished, host_started, start
from tests.unit.core.builders import NOW, plan, wave

DAY = timedelta(days=1)


def bundle(name: str, days: int, *, complete: bool = True) -> Bundle:
    return Bundle(name, NOW - days * DAY, 1000, complete, None, "r", ())


def test_the_last_ones_and_those_of_rollouts_stay_the_others_have_a_day() -> None:
    found = kept(
        [bundle("old", 9), bundle("new", 1), bundle("held", 8), bundle("half", 0, complete=False)],
        Retention(keep_s=10 * 86400, keep_last=1),
        ["held"],
    )
    assert [(one.bundle.id, one.until) for one in found] == [
        ("half", NOW),
        ("new", None),
        ("held", None),
        ("old", NOW + DAY),
    ]
    assert [one.reason.split()[0] for one in found] == ["incomplete", "one", "its", "by"]


@pytest.mark.parametrize(
    ("ended", "hours", "hosts"),
    [(False, 0, ("a",)), (False, 99, ("a",)), (True, 1, ("a",)), (True, 3, ())],
)
def test_a_rollout_needs_its_bundles_until_its_last_soak_is_over(
    ended: bool, hours: int, hosts: tuple[str, ...]
) -> None:
    whole = plan([wave(0, ["a", "b"], soak_s=7200.0)])
    state = host_started(start(whole, "r"), "a", HostPhase.PATCHING, "", NOW)
    state = close_wave(host_finished(state, "a", HostPhase.DONE, "", NOW), 0, NOW)
    now = NOW + timedelta(hours=hours)
    assert needs_bundles(whole, state, NOW if ended else None, now) == hosts
