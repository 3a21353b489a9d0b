"""Inventories read from what real hosts printed, and from what no honest host prints."""

from __future__ import annotations

import gzip
import hashlib
import re
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.inventory import (
    Host,
    Identity,
    Inventory,
    PackageState,
    Platform,
    Service,
    Updater,
)
from suture.hosts import facts
from suture.hosts.transport import FailureKind, HostError
from tests.recorded import record

HOST = Host(name="recorded", address="192.0.2.1")


def read(output: bytes, name: str = "bookworm") -> Inventory:
    _, recording = record.load(name)
    return facts.read_inventory(
        HOST, output, nonce=record.NONCE, started=recording.started, ended=recording.ended
    )


def recorded(name: str = "bookworm") -> bytes:
    return record.load(name)[0]


@pytest.mark.parametrize("name", record.names())
def test_recorded_hosts_read_as_expected(name: str) -> None:
    output, recording = record.load(name)
    summary = msgspec.json.decode(msgspec.json.encode(record.summary(read(output, name))))
    assert summary == recording.expected


def test_packed_output_reads_the_same() -> None:
    assert read(gzip.compress(recorded())) == read(recorded())


STAMP = "5" * 64


def section(name: str, text: str) -> bytes:
    return f"\n\x1e{record.NONCE} {name}\n{text}\n".encode()


def stamped(output: bytes, stamp: str = STAMP) -> bytes:
    return output + section("stamp", stamp)


def unchanged(stamp: str = STAMP) -> bytes:
    """What the recorded host answers where it knows the stamp: its packages left out."""
    output = recorded()
    for name in ("archs", "packages", "archives", "policy", "upgrade", "policy-new", "available"):
        mark = rf"\n\x1e{record.NONCE} {name}\n".encode()
        output, cut = re.subn(rb"(?s)" + mark + rb".*?(?=\n\x1e)", b"", output)
        assert cut == 1
    return stamped(output + section("unchanged", ""), stamp)


def again(output: bytes, before: Inventory | None) -> Inventory:
    _, recording = record.load("bookworm")
    return facts.read_inventory(
        HOST,
        output,
        nonce=record.NONCE,
        started=recording.started,
        ended=recording.ended,
        before=before,
    )


def test_packages_that_did_not_change_are_taken_from_before() -> None:
    before = read(stamped(recorded()))
    assert before.stamp == STAMP
    assert again(unchanged(), before) == before
    assert again(stamped(recorded(), "6" * 64), before) == replace(before, stamp="6" * 64)


def test_who_is_told_what_a_stamp_is_made_of_hashes_it_as_the_host_would() -> None:
    basis = "1.0\n\n/etc/apt 1 2 3 4\n/var/lib/dpkg/status 5 6 7 8\n"
    expected = hashlib.sha256(f"{basis}\n".encode()).hexdigest()
    assert read(recorded() + section("basis", basis)).stamp == expected
    assert read(recorded() + section("basis", "")).stamp == ""


def test_what_did_not_change_since_another_time_is_refused() -> None:
    before = read(stamped(recorded()))
    for output, known in (
        (unchanged("6" * 64), before),
        (unchanged(), None),
        (unchanged(""), None),
    ):
        with pytest.raises(HostError) as caught:
            again(output, known)
        assert caught.value.failure.kind is FailureKind.MALFORMED
    with pytest.raises(HostError):
        again(unchanged(""), replace(before, stamp=""))


def test_packages_that_could_not_all_be_read_have_no_stamp() -> None:
    output = replaced(recorded(), "adduser\tall", "evil;reboot\tall")
    assert read(stamped(output)).stamp == ""
    assert read(stamped(recorded(), "nonsense")).stamp == ""
    assert read(recorded()).stamp == ""


def test_a_stale_file_is_of_the_package_whose_list_has_it() -> None:
    output = recorded()
    for name in ("stale", "owners", "processes"):
        mark = rf"\n\x1e{record.NONCE} {name}\n".encode()
        output = re.sub(rb"(?s)" + mark + rb".*?(?=\n\x1e)", b"", output)
    output += section("stale", "7 /usr/lib/libx.so.3\n7 /usr/lib/liby.so.1")
    output += section("processes", "7\t/system.slice/x.service\tx")
    output += section("owners", "libx3:amd64.list:/lib/libx.so.3\nliby1: /usr/lib/liby.so.1")
    assert [one.package for one in read(output).stale] == ["libx3:amd64", "liby1"]


def test_services_are_enabled_by_links_to_them_and_disabled_by_a_link_to_nothing() -> None:
    listed = section(
        "units",
        "nginx.service loaded active running A web server\n"
        "ssh.service loaded active running Reached by its alias\n"
        "getty@tty1.service loaded active running An instance\n"
        "masked.service masked inactive dead Something\n"
        "stopped.service loaded inactive dead Something\n"
        "apt-daily.timer loaded active waiting Something\n"
        "absent.service not-found inactive dead absent.service",
    ) + section(
        "links",
        "/etc/systemd/system/multi-user.target.wants/nginx.service /lib/nginx.service\n"
        "/etc/systemd/system/sshd.service /lib/ssh.service\n"
        "/run/systemd/system/getty.target.requires/getty@tty1.service /lib/getty@.service\n"
        "/etc/systemd/system/multi-user.target.wants/masked.service /lib/masked.service\n"
        "/etc/systemd/system/masked.service /dev/null\n"
        "/etc/systemd/system/timers.target.wants/dnf-automatic.timer /lib/dnf-automatic.timer",
    )
    inventory = read(recorded() + listed)
    assert inventory.services == (
        Service("getty@tty1.service", "active", "running", "enabled"),
        Service("masked.service", "inactive", "dead"),
        Service("nginx.service", "active", "running", "enabled"),
        Service("ssh.service", "active", "running", "enabled"),
        Service("stopped.service", "inactive", "dead"),
    )
    assert Updater("apt-daily.timer", active=True, enabled=False) in inventory.updaters
    assert Updater("dnf-automatic.timer", active=False, enabled=True) in inventory.updaters


def test_lines_of_systemd_that_make_no_sense_are_noted() -> None:
    listed = section("units", "ev;il loaded active running x") + section("links", "nonsense")
    inventory = read(recorded() + listed)
    assert inventory.services == ()
    assert [note.partition(":")[0] for note in inventory.notes] == ["links", "units"]


def test_available_versions_carry_what_a_plan_needs() -> None:
    update = next(one for one in read(recorded()).updates if one.name == "perl-base")
    version = update.versions[0]
    assert version.is_security
    assert version.source == "perl"
    assert version.essential
    assert re.fullmatch(r"pool/.*/perl-base_.*_amd64\.deb", version.filename)
    assert version.size > 10**6
    assert "libc6 (>= " in version.pre_depends
    assert version.phased_percent == 100


def test_skew_is_bounded_by_the_round_trip() -> None:
    output, recording = record.load("bookworm")
    late = timedelta(minutes=3)
    inventory = facts.read_inventory(
        HOST,
        output,
        nonce=record.NONCE,
        started=recording.started - late,
        ended=recording.ended - late,
    )
    took = (recording.ended - recording.started).total_seconds()
    assert abs(inventory.clock.skew_s - 180) <= inventory.clock.uncertainty_s + 0.01
    assert inventory.clock.uncertainty_s <= took / 2


def replaced(output: bytes, old: str, new: str) -> bytes:
    assert old.encode() in output
    return output.replace(old.encode(), new.encode())


def test_another_kernel_than_the_newest_installed_needs_a_reboot() -> None:
    output = replaced(recorded("trixie"), "systemd-nspawn\n", "none\n")
    running = read(output, "trixie").kernel.running
    flavour = running.rsplit("-", 1)[-1]
    row = "\tall\t1\tlinux\t1\tinstall\tinstalled\tok\n"
    kernels = f"linux-image-99.9-{flavour}{row}linux-image-1.2.3-9-{flavour}{row}"
    inventory = read(replaced(output, "adduser\tall", kernels + "adduser\tall"), "trixie")
    assert inventory.kernel.installed == (f"99.9-{flavour}", f"1.2.3-9-{flavour}")
    assert inventory.reboot_required
    assert inventory.reboot_packages == (f"linux-image-99.9-{flavour}",)


def test_broken_packages_are_told_from_installed_ones() -> None:
    row = "adduser\tall\t3.134\tadduser\t3.134\tinstall\t"
    half = read(replaced(recorded(), f"{row}installed\tok", f"{row}half-configured\tok"))
    assert half.packages.packages[2].state is PackageState.HALF_CONFIGURED
    reinstall = read(replaced(recorded(), f"{row}installed\tok", f"{row}installed\treinstreq"))
    assert reinstall.packages.packages[2].state.is_broken


def test_phased_updates_are_deferred() -> None:
    inventory = read(replaced(recorded(), "done\t\t\n", "phased\tperl-base\t1\ndone\t\t\n"))
    assert [one.name for one in inventory.updates if one.deferred] == ["perl-base"]


def test_other_systems_are_unsupported_with_a_remedy() -> None:
    mark = f"\x1e{record.NONCE} "
    for uname, remedy in (("FreeBSD", "Debian"), ("Linux", "apt")):
        text = f"\n{mark}uname\n{uname}\n6.1\n0\n\n{mark}os\nID=alpine\n\n{mark}unsupported\n"
        with pytest.raises(HostError) as caught:
            read(f"{text}\n{mark}end\n".encode())
        assert caught.value.failure.kind is FailureKind.UNSUPPORTED
        assert remedy in caught.value.failure.remedy


def test_without_root_nothing_is_believed() -> None:
    output = re.sub(rb"(uname\nLinux\n[^\n]+\n)0\n", rb"\g<1>1000\n", recorded())
    with pytest.raises(HostError) as caught:
        read(output)
    assert caught.value.failure.kind is FailureKind.PRIVILEGE


@pytest.mark.parametrize(
    "line",
    [
        "evil;reboot\tamd64\t1\tevil\t1\tinstall\tinstalled\tok",
        "evil\tamd64\t1 $(reboot)\tevil\t1\tinstall\tinstalled\tok",
        "evil\tamd64\t1\t<script>\t1\tinstall\tinstalled\tok",
        "evil\x1b[2J\tamd64\t1\tevil\t1\tinstall\tinstalled\tok",
        "evil\tamd64",
        "-evil\tamd64\t1\tevil\t1\tinstall\tinstalled\tok",
    ],
)
def test_packages_that_policy_does_not_allow_are_left_out_with_a_note(line: str) -> None:
    inventory = read(replaced(recorded(), "adduser\tall", f"{line}\nadduser\tall"))
    assert not [one for one in inventory.packages.packages if "evil" in one.name]
    assert any(note.startswith("packages: 1 unreadable") for note in inventory.notes)
    assert all(note.isprintable() for note in inventory.notes)


def test_a_section_cannot_be_opened_without_the_nonce() -> None:
    fake = "\n\x1eaaaaaaaaaaaaaaaa note\nfooled\n"
    inventory = read(replaced(recorded(), "adduser\tall", f"{fake}adduser\tall"))
    assert "fooled" not in inventory.notes


@pytest.mark.parametrize("name", ["packages", "archs", "boot", "clock", "end", "uname"])
def test_missing_sections_are_refused(name: str) -> None:
    output = recorded().replace(f"\x1e{record.NONCE} {name}\n".encode(), b"\x1ex x\n")
    with pytest.raises(HostError):
        read(output)


def test_a_section_that_comes_twice_is_refused() -> None:
    again = f"\n\x1e{record.NONCE} archs\namd64\n"
    with pytest.raises(HostError) as caught:
        read(recorded() + again.encode())
    assert caught.value.failure.kind is FailureKind.MALFORMED


def test_a_zip_bomb_is_refused() -> None:
    with pytest.raises(HostError) as caught:
        read(gzip.compress(b"\0" * (65 * 2**20), compresslevel=1))
    assert caught.value.failure.kind is FailureKind.MALFORMED


def _strings(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list | tuple):
        return [text for each in value for text in _strings(each)]
    return []


def _read_or_refuse(output: bytes) -> None:
    try:
        inventory = read(output)
    except HostError as error:
        assert error.failure.message.isprintable()
    else:
        for text in _strings(msgspec.to_builtins(inventory)):
            assert text.isprintable()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_output_is_read_or_refused_and_never_crashes(data: st.DataObject) -> None:
    lines = recorded().split(b"\n")
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "swap", "text", "bytes", "field"])):
            case "drop":
                del lines[at]
            case "swap":
                other = data.draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], lines[at]
            case "text":
                lines[at] = data.draw(st.text(max_size=60)).encode("utf-8", "surrogatepass")
            case "bytes":
                lines[at] += data.draw(st.binary(max_size=20))
            case _:
                fields = re.split(rb"([\t =])", lines[at])
                fields[data.draw(st.integers(0, len(fields) - 1))] = data.draw(
                    st.sampled_from([b"", b"-1", b"\x1b[31m", b"99999999999999999999", b"a\tb"])
                )
                lines[at] = b"".join(fields)
    _read_or_refuse(b"\n".join(lines))


@given(st.binary(max_size=400))
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(HostError):
        read(garbage)


def test_a_nonce_must_be_one() -> None:
    with pytest.raises(ValueError, match="nonce"):
        facts.script("$(reboot)")
    started = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="nonce"):
        facts.read_inventory(HOST, b"", nonce="", started=started, ended=started)


def test_what_other_scanners_know_the_host_by_is_checked() -> None:
    section = (
        f"\n\x1e{record.NONCE} identity\nname Web1.example.org\naddress 192.0.2.7\n"
        "address 2001:DB8::0:7\nagent 0A1B2C3D000040008000000000000007\n"
        "name \x1b[2J.example.org\naddress 192.0.2.700\nagent x\nother y\n"
    )
    end = f"\n\x1e{record.NONCE} end".encode()
    inventory = read(recorded().replace(end, section.encode() + end))
    assert inventory.identity == Identity(
        ("web1.example.org",),
        ("192.0.2.7", "2001:db8::7"),
        ("0a1b2c3d000040008000000000000007",),
    )
    assert any("identity: 4 unreadable lines" in note for note in inventory.notes)
    assert read(recorded()).identity is None


def test_a_host_says_what_it_runs_on() -> None:
    said = (
        f"\n\x1e{record.NONCE} platform\nvirtualization kvm\ncpu GenuineIntel\ndkms zfs\n"
        "dkms evil name\ndkms \nelse 1\n"
    )
    end = f"\n\x1e{record.NONCE} end".encode()
    inventory = read(recorded().replace(end, said.encode() + end))
    assert inventory.platform == Platform("kvm", "GenuineIntel", ("zfs",))
    assert any("platform: 3 unreadable lines" in note for note in inventory.notes)
    assert read(recorded()).platform is None
