"""Commands for people: they parse, quote what they are given, and keep the plan's limits."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import LeftOut, Plan, RebootRule
from suture.reports.by_hand import ROOT, NoRoomError, batches, check, commands, reboot
from tests.unit.core.builders import change, host_plan, plan, wave, with_host

HOSTILE = 'it\'s "{{ 7 * 7 }}" $(touch /tmp/owned) `id`; # \\'
KERNEL = change("linux-image-6.1.0-32-amd64", before=None)


def sound(*lines: str) -> bool:
    script = "\n".join(["set -e", *lines])
    return subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def rich() -> Plan:
    """Changes of every kind, and checks that try to be more than text."""
    changes = (
        change("nginx"),
        change("tzdata", arch="all", before="2024a-0+deb12u1", after="2025b-0+deb12u1"),
        change("libnew", before=None, after="1:2.0-1"),
    )
    checks = tuple(HealthCheck(kind, HOSTILE, body=HOSTILE) for kind in HealthCheckKind)
    whole = plan([wave(0, ["a", "b"], soak_s=600.0), wave(1, ["c"], approval=True)])
    return with_host(whole, "a", changes=changes, checks=checks)


def test_commands_are_shell_whatever_they_hold() -> None:
    one = rich().host("a")
    made = commands(rich(), replace(one, changes=(*one.changes, KERNEL)))
    for lines in made:
        assert lines and sound(*lines), lines


def test_nothing_of_a_plan_stands_where_a_terminal_takes_it_for_history() -> None:
    """Between double quotes an interactive bash replaces ``!`` with what was typed before."""
    for lines in commands(rich(), rich().host("a")):
        for line in lines:
            unquoted = re.sub(r"'[^']*'", "", line.replace("'\"'\"'", ""))
            assert '"' not in unquoted, line


def test_they_name_exact_versions_and_bytes_and_the_way_back_first() -> None:
    whole = rich()
    made = commands(whole, whole.host("a"))
    download = "\n".join(made.download)
    assert " nginx:amd64=1.22.1-9+deb12u1 tzdata=2025b-0+deb12u1 libnew:amd64=1:2.0-1\n" in download
    assert all(one.sha256 in download for one in whole.host("a").changes)
    bundle = "\n".join(made.bundle)
    assert " nginx:amd64=1.22.1-9 || dpkg-repack nginx:amd64" in bundle
    assert "libnew" not in bundle, "there is nothing of it to go back to"
    assert made.install[0] == made.way_back[0], "no way back, no patch"
    assert made.install[0].endswith("/before/complete")
    (back,) = [line for line in made.way_back if "--allow-downgrades" in line]
    assert back.endswith("/before/*.deb libnew:amd64- </dev/null")


@pytest.mark.parametrize(
    ("one", "lines"),
    [
        (
            HealthCheck(HealthCheckKind.UNIT, "nginx.service"),
            ["systemctl is-active --quiet -- nginx.service"],
        ),
        (
            HealthCheck(HealthCheckKind.PORT, "[::1]:80"),
            ["timeout 10 bash -c '</dev/tcp/::1/80'"],
        ),
        (
            HealthCheck(HealthCheckKind.COMMAND, "test -e /x y", timeout_s=2.6),
            ["timeout 3 sh -c 'test -e /x y' </dev/null"],
        ),
    ],
)
def test_a_check_is_a_command(one: HealthCheck, lines: list[str]) -> None:
    assert check(one) == lines


def test_a_file_is_asked_for_as_it_should_be(tmp_path: Path) -> None:
    path = tmp_path / "it's here"
    path.write_text("listen 80\n")
    path.chmod(0o640)
    right: dict[str, Any] = {
        "mode": "0640",
        "owner": f"{path.owner()}:{path.group()}",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "body": "listen",
    }
    wrong = {"mode": "0600", "owner": "x:x", "sha256": "0" * 64, "body": "deny"}
    assert _passes(HealthCheck(HealthCheckKind.FILE, str(path), **right))
    assert not _passes(HealthCheck(HealthCheckKind.FILE, f"{path}x"))
    for name, value in wrong.items():
        assert not _passes(HealthCheck(HealthCheckKind.FILE, str(path), **{**right, name: value}))


def _passes(one: HealthCheck) -> bool:
    script = "\n".join(["set -e", *check(one)])
    return subprocess.run(["bash", "-c", script], check=False).returncode == 0


def test_a_check_does_only_what_it_asks() -> None:
    """The hostile command is given to a shell as one word; as a unit it is only a name."""
    unit = HealthCheck(HealthCheckKind.UNIT, "x'; echo owned; '")
    script = "systemctl() { printf '%s\\n' \"$#\"; }\n" + "\n".join(check(unit))
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "4\n"


@given(
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 3),
    st.lists(st.sampled_from(["web", "db", ""]), min_size=12, max_size=12),
)
def test_batches_keep_order_and_limits(
    count: int, parallel: int, most: int, services: list[str]
) -> None:
    names = [f"h{number}" for number in range(count)]
    members = {
        service: ([n for n, s in zip(names, services, strict=False) if s == service], most)
        for service in {s for s in services[:count] if s}
    }
    whole = plan([wave(0, names, parallel=parallel)], members)
    cut = batches(whole, names, parallel)
    assert [name for batch in cut for name in batch] == names
    for batch in cut:
        assert 0 < len(batch) <= parallel
        for there, limit in members.values():
            assert len(set(batch) & set(there)) <= limit


def test_a_host_without_room_is_said() -> None:
    whole = plan([wave(0, ["a"])], {"web": (["a", "gone"], 1)})
    away = LeftOut("gone", "unreachable", unknown=True)
    with pytest.raises(NoRoomError, match="a: service web: gone out, 1 may be"):
        batches(Plan(**{f: getattr(whole, f) for f in whole.__struct_fields__} | {
            "left_out": (away,)
        }), ["a"], 5)  # fmt: skip


def test_versions_hold_exactly_or_what_differs_is_shown(tmp_path: Path) -> None:
    made = commands(rich(), rich().host("a"))
    before = "nginx:amd64 1.22.1-9 installed\ntzdata:all 2024a-0+deb12u1 installed\n"
    after = (
        "tzdata:all 2025b-0+deb12u1 installed\nlibnew:amd64 1:2.0-1 installed\n"
        "nginx:amd64 1.22.1-9+deb12u1 installed\n"
    )
    for lines, there, passes in (
        (made.unpatched, before, True),
        (made.unpatched, f"{before}libnew:amd64 0.9 config-files\n", True),
        (made.unpatched, after, False),
        (made.patched, after, True),
        (made.patched, after.replace("2.0-1 installed", "2.0-1 half-configured"), False),
        (made.patched, "", False),
    ):
        script = "\n".join(["set -e", 'dpkg-query() { printf "%s" "$THERE"; }', *lines])
        done = subprocess.run(
            ["bash", "-c", script],
            env={"PATH": os.environ["PATH"], "THERE": there},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode == 0) is passes, (lines, there)
        assert ("<" in done.stdout or ">" in done.stdout) is not passes


def test_a_new_package_alone_goes_away_again() -> None:
    whole = plan([wave(0, ["a"])])
    made = commands(whole, host_plan("a", changes=(change("new", before=None),)))
    (back,) = [line for line in made.way_back if "apt-get" in line]
    assert back.endswith("--allow-change-held-packages new:amd64- </dev/null")


def test_a_host_without_changes_has_its_configuration_kept() -> None:
    made = commands(plan([wave(0, ["a"])]), host_plan("a", changes=()))
    assert (made.unpatched, made.patched, made.download, made.install) == ([], [], [], [])
    assert made.bundle[-1] == "touch complete"
    assert not any("apt-get" in line for line in made.way_back)


def test_a_reboot_that_the_plan_expects_is_made() -> None:
    """A new kernel asks for it in a file on some distributions only."""
    one = host_plan("a", reboot=RebootRule.IF_NEEDED, reboot_expected=False)
    assert reboot(one) is RebootRule.IF_NEEDED
    assert reboot(replace(one, reboot_expected=True)) is RebootRule.ALWAYS


@pytest.mark.parametrize(
    ("complete", "ran", "passes"), [(True, True, True), (True, False, False), (False, False, True)]
)
def test_the_kernel_of_before_has_to_run_where_anything_was_changed(
    tmp_path: Path, complete: bool, ran: bool, passes: bool
) -> None:
    whole = plan([wave(0, ["a"])])
    (line,) = commands(whole, host_plan("a", changes=(KERNEL,))).same_kernel
    before = tmp_path / "before"
    before.mkdir()
    (before / "kernel").write_bytes(subprocess.check_output(["uname", "-rv"]) if ran else b"6.1\n")
    if complete:
        (before / "complete").touch()
    script = line.replace(f"{ROOT}/{whole.id}", str(tmp_path))
    done = subprocess.run(["bash", "-ec", script], capture_output=True, check=False)
    assert (done.returncode == 0) is passes, done.stdout


def test_the_kernel_is_not_asked_for_where_the_plan_brings_none_or_may_not_boot_it() -> None:
    whole = plan([wave(0, ["a"])])
    assert commands(whole, host_plan("a")).same_kernel == []
    never = host_plan("a", changes=(KERNEL,), reboot=RebootRule.NEVER)
    assert commands(whole, never).same_kernel == []
