from __future__ import annotations

import io

from msgspec.structs import replace
from rich.console import Console

from suture.cli.rollout_view import exit_code, print_rollout
from suture.core import transitions
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning import Plan
from suture.core.progress import HostPhase, RolloutStatus
from suture.services.rollouts import RolloutView
from suture.store.rollouts import StoredRollout
from tests.unit.core import builders
from tests.unit.core.builders import NOW


def _view(plan: Plan, *, over: bool = False, phase: HostPhase = HostPhase.WAITING) -> RolloutView:
    state = transitions.start(plan, "abc")
    hosts = tuple(replace(host, phase=phase) for host in state.hosts)
    state = replace(state, hosts=hosts, status=RolloutStatus.DONE if over else state.status)
    ended = NOW if over else None
    return RolloutView(StoredRollout("abc", plan.id, state, 1, False, "me", NOW, ended), plan, ())


def _printed(view: RolloutView) -> str:
    out = Console(file=io.StringIO(), width=120)
    print_rollout(out, view)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_a_rollout_that_nobody_drives_says_how_to_go_on() -> None:
    view = _view(builders.plan([builders.wave(0, ["a"])]))
    assert "suture rollout watch abc" in _printed(view)
    assert "approve" not in _printed(view)
    assert exit_code(view) == 4


def test_a_wave_that_waits_for_approval_says_so() -> None:
    view = _view(builders.plan([builders.wave(0, ["a"], approval=True)]))
    assert "suture rollout approve abc" in _printed(view)


def test_a_paused_rollout_offers_a_plan_without_the_suspect() -> None:
    view = _view(builders.plan([builders.wave(0, ["a"])]))
    state = replace(view.rollout.state, status=RolloutStatus.PAUSED)
    failed = StepReport("a", Step.VERIFY, Verdict.FAIL, NOW, 1.0, suspects=("nginx",))
    paused = replace(view, rollout=replace(view.rollout, state=state), reports=(failed,))
    printed = _printed(paused)
    assert "--hold-back nginx@1.22.1-9+deb12u1   a plan without it" in printed
    assert "suture rollout abort abc   start nothing more" in printed


def test_proof_is_offered_where_a_host_was_patched() -> None:
    plan = builders.plan([builders.wave(0, ["a"])])
    patched = _view(plan, over=True, phase=HostPhase.DONE)
    taken_back = _view(plan, over=True, phase=HostPhase.ROLLED_BACK)
    assert "suture verify abc" in _printed(patched)
    assert "suture verify" not in _printed(taken_back)
    assert (exit_code(patched), exit_code(taken_back)) == (0, 1)
