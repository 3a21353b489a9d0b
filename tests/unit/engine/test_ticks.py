"""Ticks are transactions on rows; nothing here needs a worker."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from suture.core import chain
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase, RolloutStatus, Signal
from suture.core.rollout.transitions import RefusedError
from suture.core.rollout.ways_back import AskedBack, WayBack
from suture.engine import records, ticks
from suture.engine.work import HostWork
from suture.store import events, plans, rollouts, signals
from suture.store.database import Store
from tests.unit.core import builders

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _finish(store: Store, host: str, phase: HostPhase, *, way_back: bool = False) -> None:
    work = HostWork(rollout="r1", host=host, attempt=0, way_back=way_back)
    with store.begin() as connection:
        assert records.finish_host(connection, work, phase, "as reported", NOW)


def _say(store: Store, plan: Plan, signal: Signal) -> str | None:
    with store.begin() as connection:
        number = signals.give(connection, "r1", signal, actor="kim", reason="", now=NOW)
    ticks.take_signals(store, plan, "r1", NOW)
    with store.read() as connection:
        given = signals.get(connection, number)
    assert given is not None
    return given.answer


def _kinds(store: Store) -> list[str]:
    with store.read() as connection:
        return [event.kind for event in events.stream(connection, subject="r1")]


def test_a_tick_that_changes_nothing_writes_nothing(store: Store, plan: Plan) -> None:
    first = ticks.tick(store, plan, "r1", NOW)
    told = _kinds(store)
    second = ticks.tick(store, plan, "r1", NOW)
    assert [host.host for host in first.at_work] == ["web1"]
    assert second.rollout == first.rollout
    assert _kinds(store) == told


def test_waves_close_and_start_in_one_tick(store: Store, plan: Plan) -> None:
    ticks.tick(store, plan, "r1", NOW)
    _finish(store, "web1", HostPhase.DONE)
    tick = ticks.tick(store, plan, "r1", NOW)
    assert [host.host for host in tick.at_work] == ["web2", "web3"]
    assert not tick.is_settled
    for host in ("web2", "web3"):
        _finish(store, host, HostPhase.DONE)
    end = ticks.tick(store, plan, "r1", NOW)
    assert (end.rollout.state.status, end.rollout.ended_at) == (RolloutStatus.DONE, NOW)
    assert end.is_settled
    with store.read() as connection:
        assert chain.verify(events.stream(connection)).broken_at is None


def test_starts_of_all_rollouts_count_for_the_rate(store: Store) -> None:
    plans_ = [
        replace(builders.plan([builders.wave(0, [f"{name}1", f"{name}2"])]), starts_per_minute=3)
        for name in ("db", "mail")
    ]
    for plan in plans_:
        with store.begin() as connection:
            plans.save(connection, plan)
        ticks.start_rollout(store, plan, plan.id, actor="kim", without_rehearsal=False, now=NOW)
    db, mail = plans_
    assert len(ticks.tick(store, db, db.id, NOW).at_work) == 2
    later = NOW + timedelta(seconds=20)
    tick = ticks.tick(store, mail, mail.id, later)
    assert [host.host for host in tick.at_work] == ["mail1"]
    (wait,) = tick.waiting
    assert wait.until == NOW + timedelta(minutes=1)
    assert "3 hosts were started within a minute, 3 may be" in wait.reason
    tick = ticks.tick(store, mail, mail.id, NOW + timedelta(minutes=1))
    assert [host.host for host in tick.at_work] == ["mail1", "mail2"]


def test_signals_are_answered_at_once(store: Store, plan: Plan) -> None:
    ticks.tick(store, plan, "r1", NOW)
    assert _say(store, plan, Signal.PAUSE) == ""
    assert _say(store, plan, Signal.PAUSE) == "the rollout is paused already: pause by kim"
    assert _kinds(store)[-2:] == ["signal.pause", "signal.refused"]
    _finish(store, "web1", HostPhase.DONE)
    assert ticks.tick(store, plan, "r1", NOW).needs_person
    assert _say(store, plan, Signal.ABORT) == ""
    assert ticks.tick(store, plan, "r1", NOW).rollout.state.status is RolloutStatus.ABORTED
    assert ticks.tick(store, plan, "r1", NOW).rollout.ended_at == NOW
    assert _kinds(store).count("rollout.finished") == 1


def test_a_host_takes_part_in_one_rollout_at_a_time(store: Store, plan: Plan) -> None:
    other = builders.plan([builders.wave(0, ["web3", "db1"])])
    with pytest.raises(RefusedError, match="web3 has a part in rollout r1") as refused:
        ticks.start_rollout(store, other, "r2", actor="kim", without_rehearsal=False, now=NOW)
    assert "suture rollout abort r1" in str(refused.value)
    with store.read() as connection:
        assert [rollout.id for rollout in rollouts.listing(connection)] == ["r1"]


def test_a_patched_host_is_taken_back_after_the_end(store: Store, plan: Plan) -> None:
    ticks.tick(store, plan, "r1", NOW)
    _finish(store, "web1", HostPhase.DONE)
    ticks.tick(store, plan, "r1", NOW)
    for host in ("web2", "web3"):
        _finish(store, host, HostPhase.DONE)
    ticks.tick(store, plan, "r1", NOW)

    asked = (AskedBack("web2", WayBack(), "kim: slow"),)
    ticks.ask_back(store, "r1", asked, actor="kim", now=NOW)
    tick = ticks.tick(store, plan, "r1", NOW)
    assert tick.rollout.is_over
    assert not tick.is_settled
    _finish(store, "web2", HostPhase.ROLLED_BACK, way_back=True)
    assert ticks.tick(store, plan, "r1", NOW).is_settled
    with pytest.raises(RefusedError, match="nothing to take back"):
        ticks.ask_back(store, "r1", asked, actor="kim", now=NOW)
    assert _kinds(store)[-3:] == ["host.asked-back", "host.rolling-back", "host.rolled-back"]


def test_no_such_rollout(store: Store, plan: Plan) -> None:
    with pytest.raises(LookupError):
        ticks.tick(store, plan, "r9", NOW)
