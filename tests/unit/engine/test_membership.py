"""Who is alive is told by heartbeats that change while one looks."""

import os
import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.engine import membership
from suture.engine.membership import DEAD_AFTER_S, HEARTBEAT_S, Watch, place_of
from suture.store.workers import Worker

FAR = Worker(id="far-1-1", machine="elsewhere", pid=1, heartbeat=1000.0)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _look(watch: Watch, clock: Clock, seconds: float, worker: Worker, beats: bool = False) -> bool:
    """Whether it is alive after looking at it for so long, unchanged unless it ``beats``."""
    alive = True
    for _ in range(int(seconds / HEARTBEAT_S)):
        clock.now += HEARTBEAT_S
        seen = replace(worker, heartbeat=clock.now) if beats else worker
        alive = bool(watch.alive([seen]))
    return alive


def test_one_whose_heart_stands_still_is_dead_after_a_while() -> None:
    clock = Clock()
    watch = Watch(clock)
    assert _look(watch, clock, DEAD_AFTER_S, FAR)
    assert not _look(watch, clock, 2 * HEARTBEAT_S, FAR)


def test_a_heartbeat_that_goes_backwards_is_one() -> None:
    clock = Clock()
    watch = Watch(clock)
    assert _look(watch, clock, DEAD_AFTER_S, FAR)
    assert _look(watch, clock, DEAD_AFTER_S, replace(FAR, heartbeat=1.0))
    assert watch.is_proved(FAR)


def test_who_was_away_itself_has_no_say_about_that_time() -> None:
    clock = Clock()
    watch = Watch(clock)
    assert _look(watch, clock, DEAD_AFTER_S, FAR)
    clock.now += 3600
    assert watch.alive([FAR])
    assert _look(watch, clock, DEAD_AFTER_S - HEARTBEAT_S, FAR)
    assert not _look(watch, clock, 3 * HEARTBEAT_S, FAR)


def test_a_process_of_this_machine_that_is_gone_is_dead_at_once() -> None:
    here = membership.this_process()
    watch = Watch()
    assert watch.alive([here]) == (here,)
    assert watch.is_proved(here)
    gone = replace(here, id=f"x-{os.getpid()}-0")
    assert watch.alive([gone]) == ()


def test_two_that_have_name_pid_and_start_in_common_are_two() -> None:
    assert membership.this_process().id == membership.this_process().id
    script = (
        "from suture.engine import membership as there\n"
        "there._started, there.os.getpid = lambda pid: '7', lambda: 1\n"
        "print(there.this_process().id)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script]
    one, two = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert one.startswith(f"{socket.gethostname()[:24]}-1-")
    assert one.endswith("-7\n")
    assert one != two


def test_a_killed_process_that_nobody_has_waited_for_is_dead() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        there = Worker(id="", machine=membership.this_process().machine, pid=process.pid)
        there = replace(there, id=f"x-{process.pid}-{membership._started(process.pid)}")
        assert not membership.is_gone(there)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert membership.is_gone(there)


def test_a_heart_that_was_never_seen_beating_proves_nothing() -> None:
    watch = Watch()
    assert watch.alive([FAR])
    assert not watch.is_proved(FAR)


def test_one_bound_to_nothing_is_missed_after_a_while_and_not_any_more_when_it_is_back() -> None:
    clock = Clock()
    watch = Watch(clock)
    bound = replace(membership.this_process(), sites=("berlin",))
    watch.alive([bound])
    assert not watch.is_without_unbound
    assert _look(watch, clock, membership.UNBOUND_AWAY_S, bound, beats=True)
    assert not watch.is_without_unbound
    assert _look(watch, clock, HEARTBEAT_S, bound, beats=True)
    assert watch.is_without_unbound
    watch.alive([bound, FAR])
    assert not watch.is_without_unbound


def test_who_was_away_itself_misses_nobody_at_once() -> None:
    clock = Clock()
    watch = Watch(clock)
    bound = replace(membership.this_process(), sites=("berlin",))
    watch.alive([bound])
    clock.now += 3600
    watch.alive([bound])
    assert not watch.is_without_unbound


NAMES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3, unique=True).map(tuple)
WORKERS = st.lists(
    st.builds(
        Worker, id=st.just("w"), machine=st.just("m"), pid=st.just(1), jumps=NAMES, sites=NAMES
    ),
    max_size=4,
)


@given(jump=st.sampled_from(["", "a", "b"]), labels=NAMES, workers=WORKERS)
def test_a_host_belongs_to_those_who_ask_for_it_or_to_nobody(
    jump: str, labels: tuple[str, ...], workers: list[Worker]
) -> None:
    asking = [one for one in workers if jump in one.jumps or set(labels) & set(one.sites)]
    place = place_of(jump, labels, workers)
    assert bool(place) == bool(asking)
    if place:
        takers = [one for one in workers if place in one.places]
        assert takers
        assert all(one in asking for one in takers)


@pytest.mark.parametrize(
    ("jump", "labels", "place"),
    [
        ("a", ("b",), "a"),
        ("c", ("x", "c", "b"), "label=c"),
        ("", ("b", "c"), "label=b"),
        ("", ("a",), ""),
        ("b", (), ""),
    ],
)
def test_the_jump_host_goes_before_labels_in_their_order(
    jump: str, labels: tuple[str, ...], place: str
) -> None:
    free = Worker("w1", "m", 1)
    bound = Worker("w2", "m", 2, jumps=("a",), sites=("b", "c"))
    assert place_of(jump, labels, (free, bound)) == place
