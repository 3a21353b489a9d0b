"""Two operators at once: one truthful outcome, and the log tells of it once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from suture.core.planning.plan import Plan
from suture.core.rollout.state import RolloutStatus, Signal
from suture.services import evidence, plans, rollouts
from suture.services.errors import RefusedError
from suture.services.workspace import Workspace
from suture.store import events
from suture.store.database import Store, open_store
from tests.faults.databases import Database
from tests.unit.core import builders

_TRIES = 8


@pytest.fixture(params=["sqlite", "postgresql"])
def workspace(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Workspace]:
    name = {"sqlite": "sqlite", "postgresql": "server"}[request.param]
    database: Database = request.getfixturevalue(name)
    url = database.fresh(tmp_path)
    yield Workspace(tmp_path, url)
    database.drop(url)


@pytest.fixture
def store(workspace: Workspace) -> Iterator[Store]:
    opened = open_store(workspace.database)
    yield opened
    opened.close()


def _plan(store: Store, number: int) -> Plan:
    names = [f"web{number}-{n}" for n in range(4)]
    waves = [
        builders.wave(0, names[:1], soak_s=0.0, approval=True),
        builders.wave(1, names[1:], soak_s=0.0),
    ]
    plan = builders.plan(waves)
    plans.save(store, plan, "kim")
    return plan


def _at_once(*acts: Callable[[], object]) -> list[object]:
    """What each returned, or its refusal."""
    gate = threading.Barrier(len(acts))
    answers: list[object] = [None] * len(acts)

    def act(number: int) -> None:
        gate.wait()
        try:
            answers[number] = acts[number]()
        except RefusedError as refusal:
            answers[number] = refusal

    threads = [threading.Thread(target=act, args=(number,)) for number in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return answers


def _kinds(store: Store, rollout: str) -> list[str]:
    with store.read() as connection:
        return [event.kind for event in events.stream(connection, subject=rollout)]


def _refusals(answers: list[object]) -> list[RefusedError]:
    return [answer for answer in answers if isinstance(answer, RefusedError)]


def _starts(workspace: Workspace, plan: Plan, actor: str) -> Callable[[], str]:
    return lambda: rollouts.start(workspace, plan.id, actor=actor, without_rehearsal=True)[0]


def _says(workspace: Workspace, rollout: str, word: Signal, actor: str) -> Callable[[], object]:
    return lambda: rollouts.say(workspace, rollout, word, actor=actor, reason="")


def test_one_of_two_starts_is_refused(workspace: Workspace, store: Store) -> None:
    for number in range(_TRIES):
        plan = _plan(store, number)
        answers = _at_once(_starts(workspace, plan, "kim"), _starts(workspace, plan, "lee"))
        (refusal,) = _refusals(answers)
        (rollout,) = (answer for answer in answers if isinstance(answer, str))
        assert f"has a part in rollout {rollout}" in refusal.message
    assert len(rollouts.listing(workspace)) == _TRIES
    assert evidence.verify(workspace).is_whole


@pytest.mark.parametrize("word", [Signal.APPROVE, Signal.ABORT, Signal.PAUSE])
def test_the_same_word_twice_is_heard_once(
    workspace: Workspace, store: Store, word: Signal
) -> None:
    for number in range(_TRIES):
        rollout = _starts(workspace, _plan(store, number), "kim")()
        answers = _at_once(
            _says(workspace, rollout, word, "kim"), _says(workspace, rollout, word, "lee")
        )
        assert len(_refusals(answers)) == 1
        kinds = _kinds(store, rollout)
        assert kinds.count(f"signal.{word.value}") == 1
        assert kinds.count("signal.refused") == 1
    assert evidence.verify(workspace).is_whole


def test_an_approval_never_outlives_an_abort(workspace: Workspace, store: Store) -> None:
    for number in range(_TRIES):
        rollout = _starts(workspace, _plan(store, number), "kim")()
        answers = _at_once(
            _says(workspace, rollout, Signal.APPROVE, "kim"),
            _says(workspace, rollout, Signal.ABORT, "lee"),
        )
        state = rollouts.view(workspace, rollout).rollout.state
        assert state.status is RolloutStatus.ABORTED
        was_refused = bool(_refusals(answers))
        assert was_refused == (state.approvals == ())
        kinds = [k for k in _kinds(store, rollout) if k.startswith("signal.")]
        heard = ["signal.abort", "signal.refused"]
        assert kinds == (heard if was_refused else ["signal.approve", "signal.abort"])
    assert evidence.verify(workspace).is_whole
