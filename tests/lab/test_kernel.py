"""A kernel is rehearsed for real: a virtual machine boots the new one, and the old one again.

The host is one of the lab's containers that has a kernel's packages installed. The machine is
emulated in software where there is no KVM, which takes some minutes: most of it is the kernel's
initial file system, which is kept small therefore.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lab.fleet import LabHost
from suture.core.evidence import Step, Verdict
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import Plan
from suture.core.planning.planner import make_plan
from suture.core.policies.rehearsing import RealReboot
from suture.core.policy import Policy, TwinPolicy
from suture.core.selection.ledger import SelectionRules
from suture.core.selection.selector import select
from suture.hosts.facts import collect
from suture.hosts.patching import PatchSession, acquire
from suture.twin.disk import missing_tools
from suture.twin.machine import Twins
from suture.twin.package_files import fetch_packages
from suture.twin.real_reboot import new_kernels
from suture.twin.rehearsal import Rehearsal, Rehearser
from tests.lab.conftest import MakeHost

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("kernel"), pytest.mark.timeout(1500)]

_SMALL = """
printf 'virtio_pci\\nvirtio_blk\\next4\\n' >>/etc/initramfs-tools/modules
echo MODULES=list >/etc/initramfs-tools/conf.d/small
"""
_GATEWAY = "192.0.2.2"  # of the machine's own network, from which its way in is asked for


def _now() -> datetime:
    return datetime.now(UTC)


async def _plan(server: LabHost) -> Plan:
    """The kernel alone."""
    rules = SelectionRules(allow_new_packages=True)
    host = server.host
    async with server.connect() as transport:
        await transport.run(_SMALL)
        inventory = await collect(transport, host, now=_now, nonce=secrets.token_hex(16))
    names = {update.source for update in inventory.updates}
    others = tuple(sorted(name for name in names if not name.startswith("linux")))
    rules = SelectionRules(allow_new_packages=True, exclude=others)
    selection = select(
        inventory, rules=rules, findings=(), held_back=(), published={}, today=_now().date()
    )
    return make_plan(
        hosts=[host],
        inventories={host.name: inventory},
        selections={host.name: selection},
        findings={},
        policy=Policy(select=rules, propose_checks=False),
        now=_now(),
    )


async def _rehearse(server: LabHost, plan: Plan, directory: Path) -> Rehearsal:
    (one,) = plan.hosts
    session = PatchSession(plan=one, plan_id=plan.id, connect=server.connect, now=_now)
    report = await acquire(session)
    await session.close()
    assert report.verdict is Verdict.PASS, report
    twins = Twins(directory)
    async with server.connect() as transport:
        await fetch_packages(transport, one.changes, directory / "packages")
        clone = await twins.clone(transport, one.package_set, TwinPolicy().exclude)  # type: ignore[arg-type]
    clone = msgspec.structs.replace(clone, addresses=tuple({*clone.addresses, _GATEWAY}))
    rehearser = Rehearser(twins, clone, directory / "packages", real_reboot=RealReboot.REQUIRED)
    return await rehearser.rehearse(plan.id, one)


async def test_a_new_kernel_is_booted_and_the_old_one_after_the_way_back(
    make_host: MakeHost, tmp_path: Path
) -> None:
    if missing := missing_tools():
        pytest.skip(f"a virtual machine needs the Debian packages {', '.join(missing)}")
    server = make_host("kern", "kernel")
    check = HealthCheck(HealthCheckKind.UNIT, "ssh.service")
    plan = await _plan(server)
    (one,) = plan.hosts
    plan = msgspec.structs.replace(plan, hosts=(msgspec.structs.replace(one, checks=(check,)),))
    (release,) = new_kernels(one)
    rehearsal = await _rehearse(server, plan, tmp_path)
    found = rehearsal.real_boot
    print(rehearsal.verdict, rehearsal.reason, found)
    assert found is not None and found.verdict is Verdict.PASS, rehearsal
    assert rehearsal.verdict is Verdict.PASS, rehearsal.reason
    before, patched, after = found.kernels
    assert patched.startswith(f"{release} ")
    assert before == after and not before.startswith(f"{release} ")
    steps = [report.step for report in found.reports]
    assert (steps.count(Step.REBOOT), steps.count(Step.REBOOT_ROLL_BACK)) == (1, 1)
    assert not any((tmp_path / "machines").iterdir())
