"""Commands for people: they parse, quote what they are given, and keep the plan's limits."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import LeftOut, Plan
from suture.reports.by_hand import NoRoomError, batches, check, commands
from tests.unit.core.builders import change, host_plan, plan, wave, with_host

HOSTILE = 'it\'s "{{ 7 * 7 }}" $(touch /tmp/owned) `id`; # \\'


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
    made = commands(rich(), rich().host("a"))
    for lines in made:
        assert lines and sound(*lines), lines


def test_they_name_exact_versions_and_bytes_and_the_way_back_first() -> None:
    whole = rich()
    made = commands(whole, whole.host("a"))
    download = "\n".join(made.download)
    assert (
        "apt-get download nginx:amd64=1.22.1-9+deb12u1 tzdata=2025b-0+deb12u1 "
        "libnew:amd64=1:2.0-1" in download
    )
    assert all(one.sha256 in download for one in whole.host("a").changes)
    bundle = "\n".join(made.bundle)
    assert "apt-get download nginx:amd64=1.22.1-9 || dpkg-repack nginx:amd64" in bundle
    assert "libnew" not in bundle, "there is nothing of it to go back to"
    assert "apt-get remove -y libnew:amd64" in made.way_back
    assert any("--allow-downgrades" in line for line in made.way_back)


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
            ["timeout 3 sh -c 'test -e /x y'"],
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


def test_a_host_without_changes_needs_no_way_back_of_packages() -> None:
    whole = plan([wave(0, ["a"])])
    made = commands(whole, host_plan("a", changes=(change("new", before=None),)))
    assert not any("allow-downgrades" in line for line in made.way_back)
