"""Real hosts, real connections, and a controller to which everything happens, told by a seed.

The shorter set of ``tests/faults``: the same invariants, read from the hosts' own records.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from lab.fleet import LabHost
from suture.core import chain
from suture.core.documents import decode, encode
from suture.core.evidence import Step
from suture.core.planning.plan import HostPlan, Plan
from suture.core.rollout.state import HostPhase
from suture.engine import ticks
from suture.engine.stepping import StepFinished
from suture.hosts.transaction import bundle_id, transaction_id
from suture.store import events, plans, rollouts, workers
from suture.store.database import Store, open_store
from tests.faults.boundaries import ProcessFault
from tests.faults.controller import GAVE_UP
from tests.lab import probe
from tests.lab.conftest import MakeHost
from tests.lab.controller import Orders
from tests.lab.probe import NAME
from tests.unit.core import builders

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("faults")]

ROOT = Path(__file__).parents[2]
_PLACES = ("step-before", "step-after", "commit-before", "commit-after")
_STORIES = (("kill", "reboot"), ("freeze", "cut"), ("kill", "cut"), ("freeze", "reboot"))
_SEED = os.environ.get("SUTURE_FAULT_SEED", "")
_SEEDS = (int(_SEED),) if _SEED else range(len(_STORIES))
_ENDS_S = 180

_INSTALLING = "/run/probe-in"
_POSTINST = f"echo once >>/var/tmp/probe-runs; touch {_INSTALLING}; sleep 3"
_ANEW = f"""
dpkg --purge --force-all {NAME} >/dev/null 2>&1
rm -rf {probe.ARCHIVE}/* /var/lib/suture /var/tmp/probe-runs {_INSTALLING}
"""
_CUT = """
for pid in $(pgrep -f '^sshd: .*@'); do
    grep -q "^PPid:[[:space:]]*$pid$" /proc/$$/status || kill -9 $pid || true
done
"""


@pytest.fixture(scope="module")
def hosts(make_module_host: MakeHost) -> tuple[LabHost, ...]:
    return make_module_host("alpha"), make_module_host("beta")


@pytest.mark.parametrize("seed", _SEEDS, ids=lambda seed: f"seed{seed}")
def test_whatever_happens_each_host_is_treated_once(
    hosts: tuple[LabHost, ...], tmp_path: Path, seed: int
) -> None:
    print(f"SUTURE_FAULT_SEED={seed}")
    draw = random.Random(seed)
    kind, blow = _STORIES[seed % len(_STORIES)]
    fault = ProcessFault(kind, draw.choice(_PLACES), draw.randint(1, 12))
    victim = draw.choice(hosts)
    print(fault, blow, victim.name)
    plan = _plan(hosts)
    store = _stored(tmp_path, plan)
    _told(tmp_path, hosts, fault, blow, victim)
    with store.read() as connection:
        rollout = rollouts.get(connection, "r1")
        log = list(events.stream(connection))
    assert rollout is not None
    assert chain.verify(log).broken_at is None
    reports = [decode(e.data, StepFinished) for e in log if e.kind == "step.finished"]
    assert max(Counter((one.host, one.step, one.attempt) for one in reports).values()) == 1
    phases = rollouts.host_phases(rollout.state)
    print(phases)
    for host in hosts:
        _is_true(host, phases[host.name])
        with store.read() as connection:
            fence = workers.current_fence(connection, host.name)
        assert int(host.run("cat /var/lib/suture/fence")) <= fence
    store.close()


def _is_true(host: LabHost, phase: HostPhase) -> None:
    """The host is what it is told to be, was patched once, and only with its way back there."""
    version = host.run(f"dpkg-query -W -f '${{Version}} ${{db:Status-Status}}' {NAME}")
    right = {
        HostPhase.WAITING: "1.0 installed",
        HostPhase.SKIPPED: "1.0 installed",
        HostPhase.ROLLED_BACK: "1.0 installed",
        HostPhase.DONE: "2.0 installed",
    }
    assert version == right[phase]
    runs = len(host.run("cat /var/tmp/probe-runs 2>/dev/null || true").split())
    assert runs <= 1
    apply = f"/var/lib/suture/tx/{transaction_id('r1', host.name, Step.APPLY, 0)}"
    began = host.run(f"cat {apply}/started 2>/dev/null || true").strip()
    if began:
        bundle = f"/var/lib/suture/tx/{bundle_id('r1', host.name)}/return/complete"
        assert int(host.run(f"stat -c %Y {bundle}")) <= int(began)
    assert began or not runs


def _told(
    place: Path, hosts: tuple[LabHost, ...], fault: ProcessFault, blow: str, victim: LabHost
) -> None:
    """Controllers, one after the other, until one of them has settled the rollout. As soon as the
    victim installs, its blow falls."""
    controllers = [_start(place, hosts, fault)]
    frozen: list[subprocess.Popen[bytes]] = []
    deadline = time.monotonic() + _ENDS_S
    try:
        while (status := controllers[-1].poll()) != 0:
            if status == GAVE_UP and _is_locked_out(place):
                # One was frozen in the middle of a write. The remedy is to end it.
                assert frozen
                for one in frozen:
                    one.kill()
                    one.wait()
                frozen.clear()
            else:
                assert status in (None, -signal.SIGKILL), _said(place)
            assert time.monotonic() < deadline, "the rollout does not end"
            if status is None and _is_frozen(controllers[-1]):
                frozen.append(controllers[-1])
            if status is not None or controllers[-1] in frozen:
                controllers.append(_start(place, hosts))
            if blow and victim.run(f"[ ! -e {_INSTALLING} ] || echo in").strip():
                print(f"{blow} {victim.name}")
                _STRIKE[blow](victim)
                blow = ""
            time.sleep(0.1)
        assert not blow, "nothing was installed on the victim"
        for one in frozen:
            one.send_signal(signal.SIGCONT)
            assert one.wait(60) in (0, GAVE_UP)
    finally:
        for one in controllers:
            one.kill()
            one.wait()


def _said(place: Path) -> str:
    return (place / "orders.stderr").read_text()


def _is_locked_out(place: Path) -> bool:
    return "is locked: another process" in _said(place).strip().rpartition("\n")[2]


def _cut(victim: LabHost) -> None:
    """Every connection is gone, and the network for two seconds more."""
    victim.run(f"systemctl stop ssh.socket ssh.service 2>/dev/null || true\n{_CUT}")
    time.sleep(2)
    victim.run("systemctl start ssh.service")


_STRIKE: dict[str, Callable[[LabHost], None]] = {"cut": _cut, "reboot": LabHost.reboot}


def _start(
    place: Path, hosts: tuple[LabHost, ...], *faults: ProcessFault
) -> subprocess.Popen[bytes]:
    path = place / "orders.json"
    enrolled = tuple(host.host for host in hosts)
    path.write_bytes(encode(Orders(_database(place), "r1", enrolled, faults)))
    with path.with_suffix(".stderr").open("ab") as said:
        started = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.controller", path],
            env=os.environ | {"PYTHONPATH": ":".join(sys.path)},
            stderr=said,
            cwd=ROOT,
        )
    print(f"controller {started.pid}")
    return started


def _is_frozen(process: subprocess.Popen[bytes]) -> bool:
    stat = Path(f"/proc/{process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] == "T"


def _database(place: Path) -> str:
    return f"sqlite:///{place}/store.sqlite"


def _stored(place: Path, plan: Plan) -> Store:
    store = open_store(_database(place))
    with store.begin() as connection:
        plans.save(connection, plan)
    now = datetime.now(UTC)
    ticks.start_rollout(store, plan, "r1", actor="kim", without_rehearsal=True, now=now)
    return store


def _plan(hosts: tuple[LabHost, ...]) -> Plan:
    """Both hosts anew, from 1.0 to 2.0 in one wave."""
    wave = builders.wave(0, [host.name for host in hosts], soak_s=0.0)
    plan = builders.plan([wave])
    made = [asyncio.run(_prepared(host)) for host in hosts]
    return replace(plan, hosts=tuple(replace(one, ring=wave.ring) for one in made))


async def _prepared(host: LabHost) -> HostPlan:
    async with host.connect() as transport:
        await probe.sh(transport, _ANEW)
        await probe.publish(transport, "1.0")
        await probe.install(transport, "1.0")
        await probe.publish(transport, "2.0", postinst=_POSTINST)
        return probe.host_plan(host.name, await probe.change(transport, "1.0", "2.0"))
