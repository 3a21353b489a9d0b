from __future__ import annotations

import io
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from rich.console import Console

from suture.cli.rollout_live import live
from suture.cli.rollout_view import exit_code, print_proofs, print_rollout
from suture.core.documents import encode
from suture.core.evidence import Check, Event, Step, StepReport, Verdict
from suture.core.planning.gates import Alerts, Gate
from suture.core.planning.plan import HeldBack, Plan
from suture.core.rollout import transitions
from suture.core.rollout.state import ActionKind, GateState, HostPhase, NextAction, RolloutStatus
from suture.services.rollouts import NotAsked, RolloutView, Verified, proof
from suture.store.events import Earlier
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


def test_of_many_hosts_waves_are_counted_and_the_unwell_are_named() -> None:
    names = [f"host-{number:04}" for number in range(2000)]
    view = _view(builders.plan([builders.wave(0, names[:10]), builders.wave(1, names[10:])]))
    hosts = list(view.rollout.state.hosts)
    for number in range(10):
        hosts[number] = replace(hosts[number], phase=HostPhase.DONE)
    for number in range(100, 150):
        hosts[number] = replace(hosts[number], phase=HostPhase.FAILED, reason="disk full")
    state = replace(view.rollout.state, hosts=tuple(hosts))
    printed = _printed(replace(view, rollout=replace(view.rollout, state=state)))
    assert len(printed.splitlines()) < 50
    said = " ".join(printed.split())
    assert "1 ring-0 done 10 2 ring-1 waiting 1,940 failed 50" in said
    assert "host-0100 2 ring-1 failed" in said
    assert "And 30 more: suture rollout status abc --json" in said


def test_a_wave_that_waits_for_approval_says_so() -> None:
    view = _view(builders.plan([builders.wave(0, ["a"], approval=True)]))
    assert "suture rollout approve abc" in _printed(view)


def test_an_aborted_rollout_waits_for_no_approval() -> None:
    view = _view(builders.plan([builders.wave(0, ["a"], approval=True)]))
    state = replace(view.rollout.state, status=RolloutStatus.ABORTED)
    printed = _printed(replace(view, rollout=replace(view.rollout, state=state)))
    assert "approv" not in printed


def test_a_rollout_outside_of_its_window_says_until_when_it_waits() -> None:
    view = _view(builders.plan([builders.wave(0, ["a"])]))
    until = NOW.replace(hour=22)
    wait = NextAction(ActionKind.WAIT, "1 host of ring-0 wait for window night", until=until)
    printed = _printed(replace(view, waiting=(wait,)))
    assert "Waiting until Mon 2026-03-02 22:00 UTC: 1 host of ring-0 wait" in printed


def test_a_paused_rollout_offers_a_plan_without_the_suspect() -> None:
    view = _view(builders.plan([builders.wave(0, ["a"])]))
    state = replace(view.rollout.state, status=RolloutStatus.PAUSED)
    failed = StepReport("a", Step.VERIFY, Verdict.FAIL, NOW, 1.0, suspects=("nginx",))
    paused = replace(view, rollout=replace(view.rollout, state=state), reports=(failed,))
    printed = _printed(paused)
    assert "--hold-back nginx@1.22.1-9+deb12u1   a plan without it" in printed
    assert "suture rollout abort abc   start nothing more" in printed


def test_what_was_held_back_names_the_plan_for_those_left_out() -> None:
    plan = builders.plan([builders.wave(0, ["a", "b"])])
    view = _view(plan, over=True, phase=HostPhase.SKIPPED)
    held = HeldBack("nginx", "1.22.1-9+deb12u1", "failed on c: it hurt")
    state = replace(view.rollout.state, held_back=(held,))
    view = replace(view, rollout=replace(view.rollout, state=state))
    printed = _printed(view)
    assert "nginx 1.22.1-9+deb12u1 is held back: failed on c: it hurt" in printed
    assert "suture plan create --parent" in printed
    printed = _printed(replace(view, corrected="def"))
    assert "2 hosts left out; plan def has the rest for them:" in printed
    assert "suture rehearse def" in printed
    assert "suture rollout start def" in printed


def test_proof_is_offered_where_a_host_was_patched() -> None:
    plan = builders.plan([builders.wave(0, ["a"])])
    patched = _view(plan, over=True, phase=HostPhase.DONE)
    taken_back = _view(plan, over=True, phase=HostPhase.ROLLED_BACK)
    assert "suture verify abc" in _printed(patched)
    assert "suture verify" not in _printed(taken_back)
    assert (exit_code(patched), exit_code(taken_back)) == (0, 1)


_REASON = "http http://127.0.0.1:8090/: status 000 instead of 200: nobody answered"


def _event(kind: str, host: str = "a", **data: object) -> Event:
    return Event(1, NOW, kind, "abc", host, "me", encode(data).decode(), "", "")


def test_while_it_runs_a_reason_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    with live(_view(builders.plan([builders.wave(0, ["a"])]))) as (on_event, _):
        on_event(
            _event("step.finished", step="verify", verdict="fail", seconds=1.0, reason=_REASON)
        )
        on_event(_event("host.failed", reason=f"verify: {_REASON}"))
        on_event(_event("host.rolling-back", reason=f"verify: {_REASON}"))
        on_event(_event("rollout.paused", "", reason=f"1 failed: a failed: verify: {_REASON}"))
    said = " ".join(capsys.readouterr().out.split())
    assert said.count(_REASON) == 1
    assert "failed verify: as above" in said
    assert "rolling-back as above" in said
    assert "rollout paused 1 failed: a failed: as above" in said


@pytest.mark.parametrize("seen", [None, Earlier(340, 2, NOW)])
def test_of_what_happened_before_only_a_summary_is_shown(
    capsys: pytest.CaptureFixture[str], seen: Earlier | None
) -> None:
    view = _view(builders.plan([builders.wave(0, ["a", "b"])]), phase=HostPhase.DONE)
    with live(view, earlier=seen) as (on_event, _):
        for seq, host in enumerate(("a", "b", "c"), start=1):
            on_event(replace(_event("host.done", host), seq=seq))
    said = capsys.readouterr().out
    assert ("340 earlier events, since Mon 2026-03-02" in said) == (seen is not None)
    assert ("Hosts: done 2" in said) == (seen is not None)
    assert ("suture rollout watch abc --all" in said) == (seen is not None)
    shown = [line.split()[1] for line in said.splitlines() if re.match(r"\d\d:\d\d:\d\d", line)]
    assert shown == (["a", "b", "c"] if seen is None else ["c"])


def test_each_day_is_named_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    evening = datetime(2026, 11, 23, 22, 58, tzinfo=UTC)
    try:
        with live(_view(builders.plan([builders.wave(0, ["a"])]))) as (on_event, _):
            for minutes in (0, 1, 2, 3):
                on_event(replace(_event("host.done"), at=evening + timedelta(minutes=minutes)))
    finally:
        monkeypatch.undo()
        time.tzset()
    lines = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines()]
    assert [line[:8] if line[0].isdigit() else line for line in lines] == [
        "Mon 2026-11-23, times in CET",
        *("23:58:00", "23:59:00"),
        "Tue 2026-11-24, times in CET",
        *("00:00:00", "00:01:00"),
    ]


def test_the_longest_step_does_not_touch_its_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    with live(_view(builders.plan([builders.wave(0, ["a"])]))) as (on_event, _):
        for step in Step:
            on_event(_event("step.finished", step=step, verdict="pass", seconds=1.0))
    lines = [line for line in capsys.readouterr().out.splitlines() if line[0].isdigit()]
    assert len(lines) == len(Step)
    assert all(" pass " in line for line in lines)


def test_at_the_end_a_reason_is_said_once() -> None:
    view = _view(builders.plan([builders.wave(0, ["a"])]), phase=HostPhase.FAILED)
    check = Check("http http://127.0.0.1:8090/", Verdict.FAIL, _REASON.partition("/: ")[2])
    failed = StepReport("a", Step.VERIFY, Verdict.FAIL, NOW, 1.0, reason=_REASON, checks=(check,))
    hosts = tuple(replace(one, reason=f"verify: {_REASON}") for one in view.rollout.state.hosts)
    state = replace(view.rollout.state, hosts=hosts, reason=f"1 failed: a: verify: {_REASON}")
    printed = _printed(replace(view, rollout=replace(view.rollout, state=state), reports=(failed,)))
    said = " ".join(printed.split())
    assert said.count("status 000 instead of 200") == 1
    assert f"fail {_REASON}" in said
    assert said.count("verify: see below") == 2


def test_what_was_fetched_ahead_is_counted() -> None:
    plan = builders.plan([builders.wave(0, ["a", "b", "c"])], predownload_s=3600.0)
    view = _view(plan)
    assert "ahead of the start" not in _printed(view)
    a, b, c = view.rollout.state.hosts
    a, b = replace(a, phase=HostPhase.FETCHING), replace(b, fetched=True)
    state = replace(view.rollout.state, hosts=(a, b, replace(c, fetched=False)))
    printed = _printed(replace(view, rollout=replace(view.rollout, state=state)))
    assert "Packages ahead of the start: 1 fetching, 1 fetched, 1 not fetched" in printed


def test_gates_are_shown_as_far_as_they_are() -> None:
    gate = Gate(30.0, alerts=Alerts("http://127.0.0.1:9093"))
    plan = builders.plan([builders.wave(0, ["a"], gate=gate), builders.wave(1, ["b"])])
    view = _view(plan)
    for state, words in (
        (GateState(0, 2, 2), "Gate after ring-0: 2 of 3 looks taken"),
        (GateState(0, 3, 3, None, Verdict.FAIL, "alerts fire: X"), "fail  alerts fire: X"),
        (GateState(0, 3, 3, None, Verdict.FAIL, "X", accepted=True), "fail (accepted)  X"),
    ):
        gated = replace(view.rollout, state=replace(view.rollout.state, gates=(state,)))
        assert words in _printed(replace(view, rollout=gated))


def test_a_proof_names_the_hosts_that_were_not_asked_and_knows_what_is_unknown() -> None:
    cves = tuple(f"CVE-2026-{number:05}" for number in range(100))
    plan = builders.plan([builders.wave(0, ["web1", "web2"])])
    plan = replace(plan, hosts=tuple(replace(host, closes=cves) for host in plan.hosts))
    gone = StepReport("web1", Step.VERIFY, Verdict.INCONCLUSIVE, NOW, 1.0, reason="no route")
    asked = StepReport("web2", Step.VERIFY, Verdict.PASS, NOW, 1.0)
    proofs = (proof(plan, gone, None), proof(plan, asked, set(cves[:50])))
    out = Console(file=io.StringIO(), width=120)
    back = HostPhase.ROLLED_BACK
    others = (NotAsked("web3", back), NotAsked("web4", back, ("nginx",)))
    print_proofs(out, Verified(proofs, others))
    assert isinstance(out.file, io.StringIO)
    said = " ".join(out.file.getvalue().split())
    assert "web1 inconclusive unknown unknown no route" in said
    assert "and 44 more" in said
    assert "Not patched by this rollout now, rolled-back: web3" in said
    assert "Not asked, for nginx went back there and the rest did not: web4" in said
