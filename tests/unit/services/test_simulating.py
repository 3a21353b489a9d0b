"""Weeks in virtual time: the same on every run, inside of windows, limits and freezes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pytest

from suture.core.policy import parse
from suture.services import pretend_fleet, simulating
from suture.services.errors import ServiceError
from suture.services.simulating import Calendar, Simulation
from suture.services.workspace import Workspace

POLICY = """\
rings:
  - {name: canary, hosts: [canary], soak: 2h, max_failures: 3}
  - {name: broad, parallel: 50, max_failures: 20}
windows:
  - {name: nights, rule: "FREQ=WEEKLY;BYDAY=MO,TU", start: "22:00", duration: 2h}
freezes:
  - {name: year-end, begins: 2026-12-21, ends: 2026-12-31}
"""
BEGINS = date(2026, 12, 7)  # a Monday


def run(tmp_path: Path, *, text: str = POLICY, **fields: Any) -> Calendar:
    policy = tmp_path / "policy.yaml"
    policy.write_text(text)
    counts = {"hosts": 300, "weeks": 3, "seed": 1} | fields
    there = Workspace(tmp_path, f"sqlite:///{tmp_path}/suture.sqlite")
    return simulating.simulate(there, begins=BEGINS, policy_file=policy, **counts)


def done(calendar: Calendar) -> dict[date, int]:
    return {day.day: day.ended["done"] for day in calendar.days if "done" in day.ended}


def test_a_seed_draws_the_same_calendar_and_another_seed_another(tmp_path: Path) -> None:
    assert run(tmp_path) == run(tmp_path)
    assert run(tmp_path) != run(tmp_path, seed=2)


def test_hosts_are_patched_in_their_windows_and_wait_in_a_freeze(tmp_path: Path) -> None:
    calendar = run(tmp_path)
    assert len(calendar.days) == 21
    assert done(calendar)
    assert {day.weekday() for day in done(calendar)} <= {0, 1, 2}, "Monday and Tuesday nights"
    assert max(done(calendar)) < date(2026, 12, 21)
    frozen = [day for day in calendar.days if day.day >= date(2026, 12, 21)]
    assert frozen and all(day.waiting == calendar.weeks[-1].planned for day in frozen)


def test_without_windows_everything_is_patched_in_the_week(tmp_path: Path) -> None:
    calendar = run(tmp_path, text=POLICY[: POLICY.index("windows")], weeks=1)
    assert calendar.days[-1].waiting == 0
    assert sum(done(calendar).values()) >= 0.95 * calendar.weeks[0].planned > 0


def test_what_misses_its_deadline_is_counted_at_planning_and_when_it_is_overdue(
    tmp_path: Path,
) -> None:
    text = POLICY.replace("2026-12-21", "2026-12-08").replace("12-31", "12-25")
    calendar = run(tmp_path, text=text + "limits: {low: 2d, medium: 2d, high: 2d, critical: 2d}\n")
    assert any(week.late for week in calendar.weeks)
    assert any(day.overdue for day in calendar.days)


def test_limits_hold_at_every_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = parse(POLICY, name="p")
    draw = Random(3)
    simulation = Simulation(pretend_fleet.fleet(200, draw), policy, draw, BEGINS)
    seen = 0
    act = simulating._Rollout._act

    def checked(rollout: simulating._Rollout) -> object:
        nonlocal seen
        waits = act(rollout)
        out = {host.host for host in rollout.state.hosts if host.phase.is_out}
        working = sum(host.phase.is_at_work for host in rollout.state.hosts)
        assert working <= max(wave.parallel for wave in rollout.plan.waves)
        for limit in rollout.plan.services:
            assert len(out & set(limit.members)) <= limit.max_out
        seen += working
        return waits

    monkeypatch.setattr(simulating._Rollout, "_act", checked)
    simulation.week()
    assert seen


@pytest.mark.parametrize("day", [date.min, date(1999, 12, 31), date.max])
def test_the_first_day_has_bounds(tmp_path: Path, day: date) -> None:
    with pytest.raises(ServiceError, match="too long ago or too far off") as error:
        simulating.simulate(
            Workspace(tmp_path, f"sqlite:///{tmp_path}/s"), hosts=10, weeks=1, seed=1, begins=day
        )
    assert "2000 to 2100" in error.value.remedy


@pytest.mark.parametrize(
    "fields", [{"hosts": 300_000}, {"hosts": 0}, {"weeks": 0}, {"weeks": 1000}]
)
def test_counts_have_bounds(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match="too little or too much"):
        run(tmp_path, **fields)
