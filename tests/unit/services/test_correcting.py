"""What a rollout left out gets a plan without what failed, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.planning.plan import HeldBack, Plan
from suture.core.policy import Policy
from suture.core.rollout import transitions
from suture.core.rollout.state import HostPhase, RolloutStatus
from suture.services import correcting, fleet, plans
from suture.services.collecting import clock
from suture.services.workspace import Workspace
from suture.store import inventories
from suture.store.rollouts import StoredRollout
from tests.unit.core.builders import NOW, host
from tests.unit.core.offers import offer, seen, update

POLICY = Policy(propose_checks=False)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three hosts that each have updates of nginx and curl."""
    workspace = Workspace(tmp_path / "home", f"sqlite:///{tmp_path}/home/suture.sqlite")
    names = ("web1", "web2", "web3")
    fleet.add(workspace, tuple(host(name) for name in names))
    with fleet.opened(workspace) as store, store.begin() as connection:
        for name in names:
            found = seen(update(offer("nginx")), update(offer("curl")))
            inventories.record(connection, replace(found, host=name, collected_at=clock()))
    return workspace


def _ended(plan: Plan, status: RolloutStatus = RolloutStatus.DONE) -> StoredRollout:
    """web1 failed and was taken back, web2 is well, web3 was left out for nginx."""
    phases = {
        "web1": HostPhase.ROLLED_BACK,
        "web2": HostPhase.DONE,
        "web3": HostPhase.SKIPPED,
    }
    state = transitions.start(plan, "r1")
    hosts = tuple(replace(one, phase=phases[one.host]) for one in state.hosts)
    held = HeldBack("nginx", "2", "failed on web1: it hurt")
    state = replace(state, hosts=hosts, status=status, held_back=(held,))
    return StoredRollout("r1", plan.id, state, 9, False, "me", NOW, NOW)


def test_the_corrected_plan_is_for_those_left_out_and_made_once(workspace: Workspace) -> None:
    plan = plans.create(workspace, actor="me")
    with fleet.opened(workspace) as store:
        made = correcting.correct(store, _ended(plan), plan, POLICY)
        assert made is not None
        assert made.parent == plan.id
        assert [one.host for one in made.hosts] == ["web3"]
        assert {change.source for change in made.hosts[0].changes} == {"curl"}
        assert made.hosts[0].class_id != plan.host("web3").class_id
        assert made.held_back == _ended(plan).state.held_back
        assert correcting.correct(store, _ended(plan), plan, POLICY) == made
        assert correcting.corrected(store, _ended(plan), plan) == made


def test_an_aborted_rollout_is_corrected_by_a_person(workspace: Workspace) -> None:
    plan = plans.create(workspace, actor="me")
    with fleet.opened(workspace) as store:
        aborted = _ended(plan, RolloutStatus.ABORTED)
        assert correcting.correct(store, aborted, plan, POLICY) is None


def test_without_anything_else_to_do_there_is_no_plan(workspace: Workspace) -> None:
    plan = plans.create(workspace, hold_back=["curl@2"], actor="me")
    with fleet.opened(workspace) as store:
        assert correcting.correct(store, _ended(plan), plan, POLICY) is None
        assert [one.id for one in plans.listing(workspace)] == [plan.id]
