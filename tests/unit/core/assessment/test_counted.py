"""Which packages of a host its distribution's advisories judge."""

from __future__ import annotations

import pytest

from suture.core.assessment.counted import apart, is_running
from suture.core.inventory import Kernel, OperatingSystem, PackageState
from tests.unit.core.builders import inventory, package

CORE = ("kernel-core", "5.14.0-427.13.1.el9_4", "x86_64", "almalinux")


@pytest.mark.parametrize(
    ("name", "version", "arch", "os", "running", "expected"),
    [
        ("linux-image-6.1.0-1-amd64", "6.1.1-1", "amd64", "debian", "6.1.0-1-amd64", True),
        ("linux-image-6.1.0-1-amd64-unsigned", "1", "amd64", "debian", "6.1.0-1-amd64", True),
        ("linux-image-6.1.0-2-amd64", "6.1.2-1", "amd64", "debian", "6.1.0-1-amd64", False),
        ("linux-headers-6.1.0-1-amd64", "6.1.1-1", "amd64", "debian", "6.1.0-1-amd64", False),
        (*CORE, "5.14.0-427.13.1.el9_4.x86_64", True),
        (*CORE, "5.14.0-427.13.1.el9_4.x86_64+rt", False),
        (*CORE, "5.14.0-427.el9.x86_64", False),
        ("kernel-rt-core", "5.14.0-1.el9", "x86_64", "rhel", "5.14.0-1.el9.x86_64+rt", True),
        ("kernel-tools", "5.14.0-1.el9", "x86_64", "rhel", "5.14.0-1.el9.x86_64", False),
        ("kernel-default", "6.4.0-15.23.7.1", "x86_64", "sles", "6.4.0-15.23.7-default", True),
        ("kernel-azure", "6.4.0-15.23.7.1", "x86_64", "sles", "6.4.0-15.23.7-default", False),
        ("kernel-default", "6.4.0-15.23.70.1", "x86_64", "sles", "6.4.0-15.23.7-default", False),
        ("kernel-core", "5.14.0-1.el9", "x86_64", "rhel", "", False),
    ],
)  # fmt: skip
def test_the_running_kernel_is_told_from_others(
    name: str, version: str, arch: str, os: str, running: str, expected: bool
) -> None:
    one = package(name, version, arch=arch)
    seen = inventory("web", [one], os=OperatingSystem(os, "9"), kernel=Kernel(running))
    assert is_running(one, seen) == expected


def test_third_parties_other_kernels_and_what_is_removed_are_set_apart() -> None:
    own, foreign = package("nginx"), package("chrome")
    gone = package("apache2", state=PackageState.RESIDUAL)
    kernels = [package(f"linux-image-6.1.0-{n}-amd64", source="linux-signed-amd64") for n in (1, 2)]
    seen = inventory("web", [own, foreign, gone, *kernels], third_party=(foreign.key,))
    assert apart(seen) == (1, 2, 4)


@pytest.mark.parametrize(
    "source", ["linux", "linux-signed-fips", "linux-realtime", "linux-hwe-6.8"]
)
def test_of_every_flavour_only_the_running_kernel_counts(source: str) -> None:
    kernels = [package(f"linux-image-6.1.0-{n}-amd64", source=source) for n in (1, 2)]
    assert apart(inventory("web", kernels)) == (1,)
