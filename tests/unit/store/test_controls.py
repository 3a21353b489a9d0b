"""What was in force where and when."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from suture.core.assessment.mitigation import InForce
from suture.core.controls import Control, Mask, Sysctl
from suture.core.rollout.state import RolloutState, RolloutStatus
from suture.store import controls, knowledge, rollouts
from suture.store.database import Store
from suture.store.tables import plans

SOFT = Control(id="ptrace", title="t", reason="r", sysctl=Sysctl("kernel.yama.ptrace_scope", "1"))
HARD = replace(SOFT, sysctl=Sysctl("kernel.yama.ptrace_scope", "2"))
CUPS = Control(id="cups", title="t", reason="r", mask=Mask("cups.service"))


def day(number: int) -> datetime:
    return datetime(2026, 3, number, tzinfo=UTC)


@pytest.fixture
def kept(store: Store) -> Store:
    """A store with the rollouts r1 and r2."""
    with store.begin() as connection:
        connection.execute(sa.insert(plans).values(id="p1", created_at=day(1), document=b""))
        for name in ("r1", "r2"):
            state = RolloutState(name, "p1", RolloutStatus.RUNNING, ())
            rollouts.create(connection, state, actor="root", without_rehearsal=False, now=day(1))
    return store


def found(store: Store, at: datetime | None = None) -> list[tuple[str, str, str, int]]:
    with store.query() as query:
        listed = knowledge.in_force(query, at=at)
    return [(one.host, one.control.id, one.rollout, one.since.day) for one in listed]


def begin(
    store: Store,
    control: Control,
    on: int,
    rollout: str = "r1",
    host: str = "a",
    again: bool = False,
) -> None:
    with store.begin() as connection:
        controls.begin(connection, InForce(host, control, rollout, day(on)), again=again)


def end(store: Store, on: int, control: str | None = None) -> None:
    with store.begin() as connection:
        controls.end(connection, "r1", "a", day(on), control)


def test_what_is_known_already_keeps_its_time(kept: Store) -> None:
    begin(kept, SOFT, 1)
    begin(kept, SOFT, 2)
    begin(kept, CUPS, 2, host="b")
    assert found(kept) == [("a", "ptrace", "r1", 1), ("b", "cups", "r1", 2)]


def test_any_day_can_be_asked(kept: Store) -> None:
    begin(kept, SOFT, 2)
    end(kept, 4)
    assert found(kept, day(1)) == []
    assert found(kept, day(3)) == [("a", "ptrace", "r1", 2)]
    assert found(kept, day(5)) == found(kept) == []


def test_what_was_found_gone_comes_back_only_when_it_is_seen_again(kept: Store) -> None:
    begin(kept, SOFT, 1)
    begin(kept, CUPS, 1)
    end(kept, 2, "ptrace")
    begin(kept, SOFT, 3)
    assert found(kept) == [("a", "cups", "r1", 1)]
    begin(kept, SOFT, 4, again=True)
    assert found(kept) == [("a", "cups", "r1", 1), ("a", "ptrace", "r1", 4)]


def test_another_control_of_the_same_target_ends_it(kept: Store) -> None:
    begin(kept, SOFT, 1)
    begin(kept, HARD, 2, rollout="r2")
    assert found(kept) == [("a", "ptrace", "r2", 2)]
    assert found(kept, day(1)) == [("a", "ptrace", "r1", 1)]


def test_the_same_control_by_another_rollout_outlives_the_first(kept: Store) -> None:
    begin(kept, SOFT, 1)
    begin(kept, SOFT, 2, rollout="r2")
    end(kept, 3)
    assert found(kept) == [("a", "ptrace", "r2", 2)]
