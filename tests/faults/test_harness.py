"""The harness itself: each invariant can fail, and a controller with a defect is found out."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.planning.plan import RebootRule
from suture.core.rollout import transitions
from suture.core.rollout.state import HostPhase, Signal
from suture.hosts.services import RUNNING_CODE
from suture.services import evidence
from suture.store.database import open_store
from tests.faults import invariants
from tests.faults.boundaries import ProcessFault
from tests.faults.databases import Database
from tests.faults.fleet import NetworkFault
from tests.faults.host import Flaws, PretendHost
from tests.faults.invariants import Acknowledged
from tests.faults.records import Record
from tests.faults.running import Run
from tests.faults.stories import Said, Story, story
from tests.faults.zygote import Zygote
from tests.unit.core import builders

_HOSTS = ["web1", "web2", "web3"]


def _story(**fields: object) -> Story:
    plan = builders.plan(
        [builders.wave(0, _HOSTS, soak_s=0.0)], {"web": (_HOSTS, 1)}, rollback_on_failure=True
    )
    for name in _HOSTS:
        plan = builders.with_host(plan, name, checks=(), reboot=RebootRule.NEVER)
    flaws = {name: Flaws(pace_s=0.05) for name in _HOSTS}
    return replace(Story(seed=-1, plan=plan, flaws=flaws, controllers=1), **fields)


def _trouble(
    told: Story, sqlite: Database, controllers: Zygote, directory: Path, mutant: str = ""
) -> str:
    run = Run(told, sqlite, controllers, directory, mutant)
    run.tell()
    return "\n".join(run.trouble)


def test_the_same_seed_tells_the_same_story() -> None:
    assert story(7) == story(7)
    assert story(7) != story(8)


def test_every_kind_of_fault_is_in_the_stories() -> None:
    told = [story(seed) for seed in range(260)]
    faults = [fault for one in told for controller in one.processes for fault in controller]
    assert {fault.kind for fault in faults} == {"kill", "freeze", "clock"}
    assert len({(fault.kind, fault.place) for fault in faults}) == 3 * 6
    kinds = {fault.kind for one in told for fault in one.network}
    assert kinds == {"cut", "deaf", "late", "slow", "twice", "away", "reboot"}
    assert {outage.kind for one in told for outage in one.outages} == {"database", "disk"}
    words = {said.signal for one in told for said in one.says}
    assert words == {Signal.PAUSE, Signal.RESUME, Signal.APPROVE, Signal.ABORT}
    assert any(len({said.operator for said in one.says}) == 2 for one in told)


def test_peace_breaks_nothing(sqlite: Database, controllers: Zygote, tmp_path: Path) -> None:
    assert _trouble(_story(), sqlite, controllers, tmp_path) == ""


@pytest.mark.parametrize("nth", [9, 10, 11, 12])
def test_a_controller_that_dies_around_the_reboot_of_a_way_back_leaves_nothing_in_memory(
    nth: int, sqlite: Database, controllers: Zygote, tmp_path: Path
) -> None:
    plan = builders.plan([builders.wave(0, ["web1"], soak_s=0.0)], rollback_on_failure=True)
    plan = builders.with_host(plan, "web1", checks=(), reboot=RebootRule.ALWAYS)
    told = Story(
        seed=-1,
        plan=plan,
        flaws={"web1": Flaws(fails="verify")},
        controllers=1,
        processes=((ProcessFault("kill", "act-after", nth, 0.0),),),
    )
    run = Run(told, sqlite, controllers, tmp_path)
    run.tell()
    assert run.trouble == []
    told_by_host = [entry.kind for entry in run.record.of("version", "boot", "well")]
    assert told_by_host == ["version", "boot", "version", "boot", "well"]


@pytest.mark.parametrize(
    ("mutant", "says"),
    [
        ("without-limits", "out, 1 may be"),
        ("without-bundle", "asked to apply without a return bundle"),
    ],
)
def test_a_controller_with_a_defect_is_found_out(
    mutant: str, says: str, sqlite: Database, controllers: Zygote, tmp_path: Path
) -> None:
    assert says in _trouble(_story(), sqlite, controllers, tmp_path, mutant)


def test_a_controller_that_is_deaf_to_pauses_is_found_out(
    sqlite: Database, controllers: Zygote, tmp_path: Path
) -> None:
    told = _story(says=(Said(0.2, "kim", Signal.PAUSE),))
    found = _trouble(told, sqlite, controllers, tmp_path, "deaf-to-pause")
    assert "started after pause was acknowledged" in found


def test_a_controller_that_believes_in_success_is_found_out(
    sqlite: Database, controllers: Zygote, tmp_path: Path
) -> None:
    told = _story(flaws=dict.fromkeys(_HOSTS, Flaws(fails="bundle")))
    found = _trouble(told, sqlite, controllers, tmp_path, "believes-in-success")
    assert "told as done" in found


def test_a_host_without_probe_before_act_is_found_out(
    sqlite: Database, controllers: Zygote, tmp_path: Path
) -> None:
    told = _story(
        flaws=dict.fromkeys(_HOSTS, Flaws(pace_s=0.001, no_probe=True)),
        network=tuple(NetworkFault("deaf", nth) for nth in range(1, 30, 2)),
    )
    assert "began 2 times" in _trouble(told, sqlite, controllers, tmp_path)


def test_a_host_without_fences_is_found_out(
    sqlite: Database, controllers: Zygote, tmp_path: Path
) -> None:
    """One of two controllers is frozen before it asks, taken over, and then asks all the same. The
    other may have had all the work by then: so the story is told of either, and again."""
    frozen = (ProcessFault("freeze", "act-before", 4, 12.0),)
    for number in range(4):
        told = _story(
            controllers=2,
            flaws=dict.fromkeys(_HOSTS, Flaws(no_fence=True)),
            processes=(frozen, ()) if number % 2 == 0 else ((), frozen),
        )
        place = tmp_path / str(number)
        place.mkdir()
        found = _trouble(told, sqlite, controllers, place)
        if "acts after" in found:
            return
    raise AssertionError(f"nothing acted after it was taken over; found {found!r}")


def _changed(record: Record, host: str) -> None:
    record.add(host, "bundle", transaction="r")
    record.add(host, "changing", step="apply", transaction="a", detail="r")


def test_twice_is_noticed() -> None:
    record = Record()
    _changed(record, "web1")
    assert not list(invariants.once(record))
    _changed(record, "web1")
    assert list(invariants.once(record)) == ["web1: applied 2 times"]


def test_a_change_without_its_bundle_is_noticed() -> None:
    record = Record()
    _changed(record, "web1")
    assert not list(invariants.way_back_first(record))
    record.add("web2", "changing", step="apply", detail="r")
    assert len(list(invariants.way_back_first(record))) == 1


def test_too_many_out_are_noticed() -> None:
    record, plan = Record(), _story().plan
    _changed(record, "web1")
    record.add("web1", "well")
    _changed(record, "web2")
    assert not list(invariants.within_limits(record, plan))
    _changed(record, "web3")
    assert list(invariants.within_limits(record, plan)) == ["web: web2, web3 out, 1 may be"]


def test_a_start_after_the_word_is_noticed() -> None:
    record = Record()
    record.add("web1", "began")
    record.add("web2", "began")
    quiet = invariants.quiet(record, [Acknowledged(1, 2, (), "pause")])
    assert list(quiet) == ["web2: started after pause was acknowledged"]
    assert not list(invariants.quiet(record, [Acknowledged(1, 2, ("web2",), "pause")]))
    record.add("web3", "began", step="fetch")
    quiet = invariants.quiet(record, [Acknowledged(2, 3, (), "abort")])
    assert list(quiet) == ["web3: fetched for after abort was acknowledged"]
    assert not list(invariants.quiet(record, [Acknowledged(2, 3, (), "abort", ("web3",))]))


@pytest.mark.parametrize("phase", HostPhase)
def test_no_phase_is_true_of_a_host_that_is_half_installed_but_those_that_say_so(
    phase: HostPhase,
) -> None:
    record = Record()
    hosts = {name: PretendHost(name, record, Flaws()) for name in _HOSTS}
    hosts["web1"].half_installed = True
    record.add("web1", "began")
    _changed(record, "web1")
    state = transitions.start(_story().plan, "r1")
    state = replace(state, hosts=(replace(state.hosts[0], phase=phase), *state.hosts[1:]))
    is_noticed = bool(list(invariants.truthful(record, state, hosts)))
    assert is_noticed == (phase not in (HostPhase.FAILED, HostPhase.ROLLBACK_FAILED))


def test_a_host_that_is_back_and_not_in_memory_says_so() -> None:
    record = Record()
    hosts = {name: PretendHost(name, record, Flaws()) for name in _HOSTS}
    hosts["web1"].in_memory = "1.22.1-10"
    record.add("web1", "began")
    _changed(record, "web1")
    state = transitions.start(_story().plan, "r1")
    is_back = replace(state.hosts[0], phase=HostPhase.ROLLED_BACK)
    for reason, is_noticed in (("verified", True), (f"verified; {RUNNING_CODE}: nginx", False)):
        told = replace(state, hosts=(replace(is_back, reason=reason), *state.hosts[1:]))
        assert bool(list(invariants.truthful(record, told, hosts))) is is_noticed


def test_a_log_that_was_changed_is_noticed(
    sqlite: Database, controllers: Zygote, tmp_path: Path
) -> None:
    run = Run(_story(), sqlite, controllers, tmp_path)
    run.tell()
    store = open_store(run.workspace.database)
    with store.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER events_no_update")
        connection.exec_driver_sql("UPDATE events SET host = 'web9' WHERE seq = 3")
    store.close()
    assert not evidence.verify(run.workspace).is_whole
