"""People agree to plans and rollouts under their own names, and the record says who."""

from __future__ import annotations

import grp
import json
import os
import pwd
from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.planning.plan import Plan
from suture.core.policies.approvals import ApprovalPolicy, ApprovalRule
from suture.engine import ticks
from suture.services import approving, fleet, plans, rollouts
from suture.services.collecting import clock
from suture.services.errors import RefusedError
from suture.services.workspace import Workspace
from suture.store import events
from tests.command import Run
from tests.unit.core import builders

ME = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, f"sqlite:///{tmp_path}/suture.sqlite")


def kept(place: Workspace, *, four_eyes: bool = False) -> Plan:
    """A plan whose one wave two of the people ``dba`` have to agree to."""
    whole = builders.plan([builders.wave(0, ["web1"], ring="broad")])
    policy = ApprovalPolicy(
        roles={"dba": ("ann", "ben", f"%{GROUP}")},
        rings={"broad": (ApprovalRule(role="dba", count=2, expires="1h"),)},
        four_eyes=four_eyes,
    )
    whole = replace(whole, approvals=policy)
    with fleet.opened(place) as store:
        plans.save(store, whole, "kim")
    return whole


def started(place: Workspace, plan: Plan, actor: str) -> str:
    with fleet.opened(place) as store:
        ticks.start_rollout(store, plan, "r1", actor=actor, without_rehearsal=True, now=clock())
    return rollouts.view(place, "r1").waiting[0].reason


def test_a_plan_is_approved_before_it_is_started(place: Workspace) -> None:
    plan = kept(place)
    found, given = approving.approve_plan(place, plan.id, actor="ann@a", reason="read it")
    assert found == plan
    assert [(one.role, one.wave, one.plan) for one in given] == [("dba", 0, plan.id)]
    with pytest.raises(RefusedError, match="ann has approved broad already"):
        approving.approve_plan(place, plan.id, actor="ann@b")
    assert started(place, plan, "kim@a") == "broad waits for 1 more approval of 2 by dba"
    after = approving.approve_rollout(place, "r1", actor="ben@a", reason="go")
    assert [one.person for one in after.state.approvals] == ["ann", "ben"]
    assert rollouts.view(place, "r1").waiting == ()


def test_an_approval_of_another_plan_is_none_of_this_one(place: Workspace) -> None:
    plan = kept(place)
    approving.approve_plan(place, plan.id, actor="ann@a")
    other = kept(place, four_eyes=True)
    assert other.id != plan.id
    assert started(place, other, "kim@a").startswith("broad waits for 2 more approvals of 2")


def test_who_starts_what_they_approved_does_not_count_by_four_eyes(place: Workspace) -> None:
    plan = kept(place, four_eyes=True)
    approving.approve_plan(place, plan.id, actor="ann@a")
    assert "2 more approvals of 2 by dba; ann started it" in started(place, plan, "ann@a")


def test_roles_are_those_of_the_name_and_of_the_groups_of_this_system(place: Workspace) -> None:
    plan = kept(place)
    assert approving.roles_of(plan, "ann@a") == ("dba",)
    assert approving.roles_of(plan, f"{ME}@a") == ("dba",)
    assert approving.roles_of(plan, "no-such-account@a") == ()
    with pytest.raises(RefusedError, match="broad needs approval by dba, and mallory is not"):
        approving.approve_plan(place, plan.id, actor="mallory@a")
    with pytest.raises(RefusedError, match="no wave of ring 'canary'"):
        approving.approve_plan(place, plan.id, actor="ann@a", ring="canary")


def test_the_record_tells_who_approved_what_as_which_role(place: Workspace) -> None:
    plan = kept(place)
    approving.approve_plan(place, plan.id, actor="ann@a", reason="read it")
    started(place, plan, "kim@a")
    approving.approve_rollout(place, "r1", actor="ben@a", reason="go")
    with fleet.opened(place) as store, store.read() as connection:
        told = {
            event.kind: (event.actor, json.loads(event.data))
            for event in events.stream(connection)
            if "approve" in event.kind
        }
    for kind, (actor, reason) in {
        "plan.approved": ("ann@a", "read it"),
        "signal.approve": ("ben@a", "go"),
    }.items():
        assert told[kind][0] == actor
        given = told[kind][1]
        assert (given["role"], given["plan"], given["reason"]) == ("dba", plan.id, reason)


def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suture = Run(tmp_path, monkeypatch, capsys)
    plan = kept(suture.place)
    monkeypatch.setenv("USER", "ann")
    code, out, _ = suture("plan", "approve", "latest")
    assert (code, f"broad of plan {plan.id} approved by {ME}@" in out) == (0, True)
    out = suture("plan", "show", "latest")[1]
    assert f"broad approved by {ME}@" in out
    assert "broad waits for 1 more approval of 2 by dba" in out
    shown = json.loads(suture("plan", "show", "latest", "--json")[1])
    assert [one["role"] for one in shown["approvals"]] == ["dba"]
    started(suture.place, plan, "kim@a")
    code, _, err = suture("rollout", "approve", "r1", "--detach")
    assert (code, f"{ME} has approved broad already" in err) == (2, True)
    code, _, err = suture("rollout", "approve", "r1", "--as", "auditor")
    assert (code, f"{ME} is not of role auditor" in err) == (2, True)
    code, out, _ = suture("rollout", "status", "r1")
    assert (code, f"broad approved by {ME}@" in out) == (0, True)
    assert "broad waits for 1 more approval of 2 by dba" in out
