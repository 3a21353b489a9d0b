"""When a reboot is rehearsed for real, and what it means where it cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from suture.core.evidence import Verdict
from suture.core.planning.plan import HostPlan, RebootRule
from suture.core.policies.rehearsing import RealReboot
from suture.twin.real_reboot import new_kernels, not_rehearsed, wants_machine
from tests.unit.core import builders

KERNEL = builders.change("linux-image-6.1.0-51-cloud-amd64", source="linux-signed-amd64")
META = builders.change("linux-image-cloud-amd64", source="linux-signed-amd64")


def _plan(*packages: Any, **fields: Any) -> HostPlan:
    return builders.host_plan("web1", changes=packages or (builders.change(),), **fields)


def test_a_kernel_is_told_by_its_package() -> None:
    assert new_kernels(_plan(KERNEL, META)) == ("6.1.0-51-cloud-amd64",)
    assert new_kernels(_plan(META)) == ()


@pytest.mark.parametrize(
    ("plan", "wanted", "answer"),
    [
        (_plan(), RealReboot.REQUIRED, False),
        (_plan(reboot_expected=True), RealReboot.REQUIRED, True),
        (_plan(KERNEL), RealReboot.IF_POSSIBLE, True),
        (_plan(KERNEL), RealReboot.NEVER, False),
        (_plan(KERNEL, reboot=RebootRule.NEVER), RealReboot.REQUIRED, False),
    ],
)
def test_a_machine_is_for_plans_that_reboot(
    plan: HostPlan, wanted: RealReboot, answer: bool
) -> None:
    assert wants_machine(plan, wanted) is answer


@pytest.mark.parametrize(
    ("plan", "wanted", "verdict"),
    [
        (_plan(KERNEL), RealReboot.REQUIRED, Verdict.INCONCLUSIVE),
        (_plan(KERNEL), RealReboot.IF_POSSIBLE, Verdict.PASS),
        (_plan(reboot_expected=True), RealReboot.REQUIRED, Verdict.PASS),
    ],
)
def test_a_kernel_that_nobody_booted_is_no_pass_unless_the_policy_says_so(
    plan: HostPlan, wanted: RealReboot, verdict: Verdict
) -> None:
    found = not_rehearsed(plan, wanted, "this machine lacks qemu-system-x86")
    assert found.verdict is verdict
    assert "qemu-system-x86" in found.reason
