from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from suture.core.assessment.mitigation import InForce
from suture.core.controls import Control, Mask, Sysctl
from suture.core.rollout.state import HostPhase, HostState
from suture.engine import ticks
from suture.services import fleet, plans
from suture.services.earlier_work import earlier_work
from suture.services.workspace import Workspace
from suture.store import controls, rollouts
from suture.twin.regression import Regression
from tests.unit.core import builders

NOW = builders.NOW
MASK = Control(id="no-cron", title="t", reason="r", mask=Mask("cron.service"))
SYSCTL = Control(id="ptrace", title="t", reason="r", sysctl=Sysctl("kernel.yama.ptrace_scope", "2"))


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, f"sqlite:///{tmp_path}/store.sqlite")


def _rolled_out(place: Workspace, name: str, phase: HostPhase, closes: tuple[str, ...]) -> None:
    member = builders.host_plan(name, closes=closes)
    plan = builders.plan([builders.wave(0, [name], ring="canary")], hosts=(member,))
    with fleet.opened(place) as store:
        plans.save(store, plan, "kim")
        rollout = f"r-{name}-{phase.value}"
        ticks.start_rollout(store, plan, rollout, actor="kim", without_rehearsal=True, now=NOW)
        with store.begin() as connection:
            stored = rollouts.get(connection, rollout)
            assert stored is not None
            states = (HostState(name, phase),)
            state = msgspec.structs.replace(stored.state, hosts=states)
            assert rollouts.advance(connection, stored, state, ended_at=NOW)


def _work(place: Workspace, controls: tuple[Control, ...] = ()) -> Regression:
    """As for a twin of web1; web2 is of its class, db1 is not."""
    members = (
        builders.host_plan("web1", controls=controls),
        builders.host_plan("web2"),
        builders.host_plan("db1", class_id="d"),
    )
    waves = [builders.wave(0, [one.host for one in members], ring="canary")]
    plan = builders.plan(waves, hosts=members)
    with fleet.opened(place) as store:
        return earlier_work(store, plan, members[0], builders.host("web1"), ("/etc/a",), NOW)


def test_nothing_was_done_yet(place: Workspace) -> None:
    found = _work(place)
    assert (found.closed, found.controls, found.paths) == ((), (), ("/etc/a",))


def test_what_was_closed_on_hosts_alike_and_not_taken_back(place: Workspace) -> None:
    _rolled_out(place, "web1", HostPhase.DONE, ("CVE-2026-1",))
    _rolled_out(place, "web2", HostPhase.DONE, ("CVE-2026-2",))
    _rolled_out(place, "web1", HostPhase.ROLLED_BACK, ("CVE-2026-3",))
    _rolled_out(place, "db1", HostPhase.DONE, ("CVE-2026-4",))
    assert _work(place).closed == ("CVE-2026-1", "CVE-2026-2")


def test_the_hosts_own_controls_but_for_what_the_plan_replaces(place: Workspace) -> None:
    _rolled_out(place, "web1", HostPhase.DONE, ())
    rollout = "r-web1-done"
    with fleet.opened(place) as store, store.begin() as connection:
        for host, control in (("web1", MASK), ("web1", SYSCTL), ("web2", MASK)):
            controls.begin(connection, InForce(host, control, rollout, NOW))
    assert _work(place).controls == (MASK, SYSCTL)
    assert _work(place, controls=(MASK,)).controls == (SYSCTL,)
