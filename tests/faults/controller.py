"""A controller as a process of its own: Suture's engine over the pretend fleet.

Everything in it is Suture's but the transport; its beats are quicker, so that a run is short.
It ends with 0 where the rollout is settled, with 3 where it had to give up and said why.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from suture.core.documents import Document
from suture.core.evidence import Step, StepReport
from suture.core.planning.plan import Plan
from suture.engine import driver, durable, membership, ticks
from suture.engine.work import HostWork
from suture.hosts.patching import PatchSettings
from suture.services.host_work import FleetRunner
from suture.services.logs import logging_to
from suture.store.database import open_store
from suture.store.errors import StoreError
from tests.faults import mutants
from tests.faults.boundaries import Boundaries, ProcessFault
from tests.faults.transport import PretendWays
from tests.unit.core import builders

GAVE_UP = 3
DEAD_AFTER_S = 2.0
SETTINGS = PatchSettings(reconnect_s=30.0, step_s=60.0, reboot_s=15.0, lock_wait_s=1)


class Orders(Document, frozen=True):
    """What a controller is to do; without a ``rollout`` it only prepares its databases. It keeps
    its log in the file ``log``."""

    database: str
    log: str
    rollout: str = ""
    socket: str = ""
    at_once: int = 8
    faults: tuple[ProcessFault, ...] = ()
    mutant: str = ""


class Watched:
    """A runner that comes to a boundary around each step."""

    def __init__(self, inner: FleetRunner, boundaries: Boundaries) -> None:
        self._inner = inner
        self._boundaries = boundaries

    async def run(self, work: HostWork, step: Step, fence: int) -> StepReport:
        self._boundaries.come_to("step-before")
        report = await self._inner.run(work, step, fence)
        self._boundaries.come_to("step-after")
        return report

    async def release(self, work: HostWork) -> None:
        await self._inner.release(work)


def control(orders: Orders) -> int:
    """The exit status."""
    quicken()
    mutants.become(orders.mutant)
    try:
        with logging_to(Path(orders.log)):
            _drive(orders)
    except StoreError as error:
        sys.stderr.write(f"{error.message}; {error.remedy}\n")
        return GAVE_UP
    return 0


def _drive(orders: Orders) -> None:
    boundaries = Boundaries(orders.faults)
    store = open_store(orders.database)
    plan = ticks.load_plan(store, orders.rollout) if orders.rollout else None
    runner = Watched(_runner(orders, plan, boundaries), boundaries)
    with driver.driving(store, runner, at_once=orders.at_once, rollout=orders.rollout) as driving:
        if plan is not None:
            boundaries.watch_databases()
            driving.drive(orders.rollout, on_event=lambda event: None, on_tick=lambda tick: None)


def _runner(orders: Orders, plan: Plan | None, boundaries: Boundaries) -> FleetRunner:
    names = [host.host for host in plan.hosts] if plan else []

    def plan_of(rollout: str) -> Plan:
        assert plan is not None
        return plan

    ways = PretendWays(orders.socket, boundaries.come_to)
    return FleetRunner(
        ways,  # type: ignore[arg-type]
        {name: builders.host(name) for name in names},
        plan_of,
        SETTINGS,
    )


def quicken() -> None:
    """Beats that make a run short."""
    quick = (
        (driver, "BEAT_S", 0.05),
        (driver, "IDLE_BEAT_S", 0.1),
        (driver, "HEARTBEAT_S", 0.3),
        (membership, "HEARTBEAT_S", 0.3),
        (durable, "POLLING_S", 0.05),
        (membership, "DEAD_AFTER_S", DEAD_AFTER_S),
    )
    for module, name, value in quick:
        assert hasattr(module, name), name
        setattr(module, name, value)


def main() -> None:
    sys.exit(control(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Orders)))


if __name__ == "__main__":
    main()
