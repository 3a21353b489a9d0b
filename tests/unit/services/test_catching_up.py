"""Hosts that were away, looked at again: ready, still away, or changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.inventory import Inventory
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase, RolloutStatus
from suture.engine import ticks
from suture.hosts.transport import FailureKind, HostFailure
from suture.services import catching_up, fleet, plans
from suture.services.collecting import Collected, clock
from suture.services.errors import NotFoundError, RefusedError
from suture.services.workspace import Workspace
from suture.store import inventories, rollouts
from tests.unit.core.builders import host, package
from tests.unit.core.offers import offer, seen, update

HOSTS = tuple(host(name) for name in ("web1", "web2", "web3", "web4"))


def _inventory(name: str) -> Inventory:
    return replace(seen(update(offer("nginx"))), host=name, collected_at=clock())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "home", f"sqlite:///{tmp_path}/home/suture.sqlite")
    fleet.add(workspace, HOSTS)
    with fleet.opened(workspace) as store, store.begin() as connection:
        for one in HOSTS:
            inventories.record(connection, _inventory(one.name))
    return workspace


@pytest.fixture
def plan(workspace: Workspace) -> Plan:
    """Rolled out as r1: web1 is patched, the others did not answer."""
    made = plans.create(workspace, actor="me")
    with fleet.opened(workspace) as store:
        ticks.start_rollout(store, made, "r1", actor="me", without_rehearsal=True, now=clock())
        with store.begin() as connection:
            stored = rollouts.get(connection, "r1")
            assert stored is not None
            hosts = tuple(
                replace(one, phase=HostPhase.DONE)
                if one.host == "web1"
                else replace(one, phase=HostPhase.SKIPPED, away=True)
                for one in stored.state.hosts
            )
            state = replace(stored.state, hosts=hosts, status=RolloutStatus.DONE)
            rollouts.advance(connection, stored, state, ended_at=clock())
    return made


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Inventory]:
    """The hosts that answer now, by name; the others do not."""
    found: dict[str, Inventory] = {}

    async def look(
        workspace: Workspace, store: object, policy: object, names: Sequence[str]
    ) -> tuple[Collected, ...]:
        gone = {
            name: HostFailure(name, FailureKind.UNREACHABLE, "no answer", "look at it")
            for name in names
        }
        return tuple(
            Collected(one, found.get(one.name), None if one.name in found else gone[one.name])
            for one in HOSTS
            if one.name in names
        )

    monkeypatch.setattr(catching_up, "_look", look)
    return found


def test_each_host_is_sorted_and_those_that_are_ready_get_a_rollout(
    workspace: Workspace, plan: Plan, answers: dict[str, Inventory]
) -> None:
    answers["web2"] = _inventory("web2")
    other = _inventory("web3")
    packages = replace(other.packages, packages=(*other.packages.packages, package("zsh")))
    answers["web3"] = replace(other, packages=packages)
    found = catching_up.catch_up(workspace, "r1", actor="kim")
    assert (found.plan, found.ready) == (plan.id, ("web2",))
    assert found.away == (("web4", "no answer"),)
    assert found.changed == (("web3", "its packages have changed since the plan was made"),)
    with fleet.opened(workspace) as store, store.read() as connection:
        stored = rollouts.get(connection, found.rollout)
    assert stored is not None
    assert stored.without_rehearsal
    phases = rollouts.host_phases(stored.state)
    assert phases["web2"] is HostPhase.WAITING
    assert set(phases.values()) == {HostPhase.WAITING, HostPhase.SKIPPED}


def test_who_was_caught_up_is_not_looked_at_again(
    workspace: Workspace, plan: Plan, answers: dict[str, Inventory]
) -> None:
    answers["web2"] = _inventory("web2")
    found = catching_up.catch_up(workspace, "r1", ["web2"], actor="kim")
    with fleet.opened(workspace) as store, store.begin() as connection:
        stored = rollouts.get(connection, found.rollout)
        assert stored is not None
        hosts = tuple(
            replace(one, phase=HostPhase.DONE) if one.host == "web2" else one
            for one in stored.state.hosts
        )
        state = replace(stored.state, hosts=hosts, status=RolloutStatus.DONE)
        rollouts.advance(connection, stored, state, ended_at=clock())
    with pytest.raises(RefusedError, match=f"web2: caught up already, in rollout {found.rollout}"):
        catching_up.catch_up(workspace, "r1", ["web2"], actor="kim")
    again = catching_up.catch_up(workspace, "r1", actor="kim")
    assert [name for name, _ in (*again.away, *again.changed)] == ["web3", "web4"]


def test_where_nobody_answers_nothing_is_recorded(
    workspace: Workspace, plan: Plan, answers: dict[str, Inventory]
) -> None:
    found = catching_up.catch_up(workspace, "r1", ["web4"], actor="kim")
    assert (found.rollout, found.ready, found.away) == ("", (), (("web4", "no answer"),))
    with fleet.opened(workspace) as store, store.read() as connection:
        assert [one.id for one in rollouts.listing(connection)] == ["r1"]


def test_what_was_not_away_or_is_not_over_is_refused(
    workspace: Workspace, plan: Plan, answers: dict[str, Inventory]
) -> None:
    with pytest.raises(NotFoundError, match="web1 was not away in rollout r1"):
        catching_up.catch_up(workspace, "r1", ["web1"], actor="kim")
    with fleet.opened(workspace) as store:
        ticks.start_rollout(store, plan, "r2", actor="me", without_rehearsal=True, now=clock())
    with pytest.raises(RefusedError, match="rollout r2 is running"):
        catching_up.catch_up(workspace, "r2", actor="kim")
    answers["web2"] = _inventory("web2")
    with pytest.raises(RefusedError, match="web2 has a part in rollout r2"):
        catching_up.catch_up(workspace, "r1", ["web2"], actor="kim")


def test_what_was_aborted_is_installed_on_no_more_hosts(
    workspace: Workspace, plan: Plan, answers: dict[str, Inventory]
) -> None:
    answers["web2"] = _inventory("web2")
    with fleet.opened(workspace) as store, store.begin() as connection:
        stored = rollouts.get(connection, "r1")
        assert stored is not None
        aborted = replace(stored.state, status=RolloutStatus.ABORTED)
        rollouts.advance(connection, stored, aborted)
    with pytest.raises(RefusedError, match="r1 was aborted, so its plan") as refused:
        catching_up.catch_up(workspace, "r1", actor="kim")
    assert "suture plan create" in refused.value.remedy
