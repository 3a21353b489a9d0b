"""Hosts that use rpm, read from what rpm printed and from what no rpm prints."""

from __future__ import annotations

import pytest

from suture.core.inventory import Inventory
from suture.hosts import facts
from suture.hosts.managers.rpm import read_package
from suture.hosts.transport import FailureKind, HostError
from tests.recorded import record
from tests.unit.hosts.test_facts import HOST, replaced

NAME = "fedora-self-made"
LINE = "bash\t0\t5.1.8\t9.el9\tx86_64\tbash-5.1.8-9.el9.src.rpm\tAlmaLinux\t(none)"


def read(output: bytes) -> Inventory:
    _, recording = record.load(NAME)
    return facts.read_inventory(
        HOST, output, nonce=record.NONCE, started=recording.started, ended=recording.ended
    )


def recorded() -> bytes:
    return record.load(NAME)[0]


def rebuilt(vendors: dict[str, str]) -> bytes:
    """With other builders; by package."""
    output = recorded().decode()
    for package, vendor in vendors.items():
        before = next(line for line in output.split("\n") if line.startswith(f"{package}\t"))
        words = before.split("\t")
        output = output.replace(before, "\t".join([*words[:6], vendor, *words[7:]]))
    return output.encode()


def test_packages_have_what_advisories_are_held_against() -> None:
    inventory = read(recorded())
    by_name = {package.name: package for package in inventory.packages.packages}
    nodejs = by_name["nodejs"]
    assert (nodejs.version, nodejs.module) == ("1:18.19.0-1.module_f40+1", "nodejs:18")
    assert by_name["nginx"].source_version == "2:1.24.0-7.fc40"
    assert by_name["filesystem"].version == "3.18-8.fc40"
    assert inventory.package_manager == "rpm"
    assert inventory.configuration is not None
    assert inventory.configuration.unauthenticated == (
        "/etc/yum.repos.d/fedora.repo: [loose] gpgcheck=0",
    )


def test_the_source_is_told_from_its_file() -> None:
    read_line = read_package(LINE.replace("bash-5.1.8-9.el9.src", "my-bash-5.1-2.el9.nosrc"))
    assert read_line is not None
    assert (read_line[0].source, read_line[0].source_version) == ("my-bash", "5.1-2.el9")
    without = read_package(LINE.replace("bash-5.1.8-9.el9.src.rpm", "(none)"))
    assert without is not None
    assert (without[0].source, without[0].source_version) == ("bash", "5.1.8-9.el9")


def test_keys_are_no_packages() -> None:
    assert read_package(LINE.replace("bash\t", "gpg-pubkey\t", 1)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("bash\t0", "-bash\t0"),
        ("bash\t0", "ba sh\t0"),
        ("\t0\t", "\t-1\t"),
        ("5.1.8\t", "5.1.8;id\t"),
        ("\t9.el9\t", "\t\t"),
        ("x86_64\t", "../x86\t"),
        ("AlmaLinux\t(none)", "AlmaLinux\tnodejs"),
        ("\t(none)", ""),
    ],
)
def test_what_is_no_package_is_refused(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_package(LINE.replace(old, new, 1))


@pytest.mark.parametrize(
    ("vendors", "third_party"),
    [
        ({"filesystem": "Rocky", "nginx": "Rocky Enterprise Software Foundation"}, set()),
        ({"filesystem": "SUSE LLC <https://www.suse.com/>", "nginx": "openSUSE"}, {"nodejs"}),
        ({"filesystem": "AlmaLinux", "nodejs": "(none)"}, {"nodejs"}),  # EPEL is Fedora's
    ],
)
def test_third_party_is_what_another_built_than_the_base_system(
    vendors: dict[str, str], third_party: set[str]
) -> None:
    inventory = read(rebuilt(vendors))
    names = {key.partition(":")[0] for key in inventory.third_party}
    assert names - {"kernel-core"} == third_party | {"nginx-plus"}


def test_without_a_base_system_third_party_cannot_be_told() -> None:
    inventory = read(rebuilt({"filesystem": "(none)"}))
    assert inventory.third_party == ()
    assert any("third-party packages cannot be told" in note for note in inventory.notes)


def running(kernel: str) -> Inventory:
    before = read(recorded()).kernel.running
    output = replaced(recorded(), f"\n{before}\n", f"\n{kernel}\n")
    return read(replaced(output, "systemd-nspawn\n", "none\n"))


def test_a_newer_kernel_of_the_running_kind_needs_a_reboot() -> None:
    old = running("6.8.5-301.fc40.x86_64")
    assert old.kernel.installed == ("6.9.4-200.fc40.x86_64", "6.8.5-301.fc40.x86_64")
    assert (old.reboot_required, old.reboot_packages) == (True, ("kernel-core",))
    assert not running("6.9.4-200.fc40.x86_64").reboot_required


def test_a_host_that_lists_no_package_is_malformed() -> None:
    lines = [line for line in recorded().split(b"\n") if b".src.rpm\t" not in line]
    with pytest.raises(HostError) as raised:
        read(b"\n".join(lines))
    assert raised.value.failure.kind is FailureKind.MALFORMED
