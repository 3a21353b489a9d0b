"""A controller of lab hosts as a process of its own, with faults at its boundaries.

``python -m tests.lab.controller ORDERS`` ends with 0 where the rollout is settled, with 3 where it
had to give up and said why.
"""

from __future__ import annotations

import sys
from pathlib import Path

from suture.core.documents import Document, decode
from suture.core.inventory import Host
from suture.engine import ticks
from suture.engine.driver import driving
from suture.hosts.patching import PatchSettings
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import SshSettings
from suture.services.host_work import FleetRunner
from suture.services.logs import logging_to
from suture.store.database import open_store
from suture.store.errors import StoreError
from suture.twin.processes import die_with_parent
from tests.faults.boundaries import Boundaries, ProcessFault
from tests.faults.controller import GAVE_UP, Watched, quicken

SETTINGS = PatchSettings(reconnect_s=90.0, reboot_s=90.0, lock_wait_s=30)


class Orders(Document, frozen=True):
    """What a controller is to do; it keeps its log and its known hosts beside the orders."""

    database: str
    rollout: str
    hosts: tuple[Host, ...]
    faults: tuple[ProcessFault, ...] = ()


def control(path: Path) -> int:
    """The exit status."""
    quicken()
    try:
        with logging_to(path.with_suffix(".log")):
            _drive(decode(path.read_bytes(), Orders), path.with_name("known_hosts"))
    except StoreError as error:
        sys.stderr.write(f"{error.message}; {error.remedy}\n")
        return GAVE_UP
    return 0


def _drive(orders: Orders, known_hosts: Path) -> None:
    store = open_store(orders.database)
    plan = ticks.load_plan(store, orders.rollout)
    ways = Connector(KnownHosts(known_hosts), settings=SshSettings(first_use=FirstUse.ACCEPT_NEW))
    hosts = {host.name: host for host in orders.hosts}
    boundaries = Boundaries(orders.faults)
    runner = Watched(FleetRunner(ways, hosts, lambda rollout: plan, SETTINGS), boundaries)
    with driving(store, runner, at_once=8, rollout=orders.rollout) as driver:
        boundaries.watch_databases()
        driver.drive(orders.rollout, on_event=lambda event: None, on_tick=lambda tick: None)


if __name__ == "__main__":
    die_with_parent()
    sys.exit(control(Path(sys.argv[1])))
