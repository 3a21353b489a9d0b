"""The commands on a real host: the whole loop with what goes wrong in it, and hosts that are not
as they should be."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from lab.fleet import LabHost
from suture.engine import driver
from suture.services import fleet
from suture.services.workspace import Workspace
from suture.store import rollouts
from tests.command import Run

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("commands")]

_SLOW = 'DPkg::Pre-Invoke {"touch /run/installing; sleep 4";};'


@pytest.fixture
def suture(
    server: LabHost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """With the host enrolled, and its key pinned. An earlier installation that had it is gone."""
    server.run("rm -f /var/lib/suture/fence")
    run = Run(tmp_path, monkeypatch, capsys)
    assert _add(run, server, "root", "server") == 0
    assert run("hosts", "test", "--accept-new")[0] == 0
    return run


def _add(run: Run, server: LabHost, user: str, name: str) -> int:
    target = f"{user}@{server.address}:{server.made.ssh_port}"
    return run("hosts", "add", target, "--name", name, "--key", server.made.key)[0]


def _take_only(run: Run, *sources: str) -> None:
    """A policy that leaves all other updates out, and no soak."""
    report = json.loads(run("scan", "--json")[1])
    updates = {entry["package"] for entry in report["hosts"][0]["ledger"]["entries"]}
    others = sorted(name for name in updates if not name.startswith(sources))
    policy = f"select:\n  exclude: {json.dumps(others)}\nrings:\n  - {{name: all}}\n"
    run.place.policy.write_text(policy)


@pytest.fixture
def background(suture: Run) -> Iterator[Any]:
    """Starts the command as a process of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        code = "import sys; sys.argv[0] = 'suture'; from suture.cli.main import main; main()"
        environment = {"SUTURE_HOME": str(suture.place.home), "PYTHONPATH": ":".join(sys.path)}
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # A background job's children ignore SIGINT, and a person's do not.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def _wait_for(server: LabHost, condition: str) -> None:
    for _ in range(600):
        if server.run(f"{condition} && echo yes || true").strip() == "yes":
            return
        time.sleep(0.1)
    raise AssertionError(f"never came: {condition}")


def _installed(server: LabHost) -> str:
    return server.run("dpkg-query -W libbrotli1 libpcre2-8-0")


def test_a_scan_leaves_nothing_on_the_host(suture: Run, server: LabHost) -> None:
    living = " -o ".join(f"-path {one}" for one in ("/proc", "/sys", "/dev", "/run", "/var/log"))
    files = f"find / -xdev \\( {living} \\) -prune -o -print | sort"
    before = server.run(files)
    report = json.loads(suture("scan", "--json")[1])
    assert any(finding["cve"] for finding in report["hosts"][0]["findings"])
    assert server.run(files) == before


def test_the_loop_goes_on_whatever_happens_in_it(
    suture: Run, server: LabHost, background: Any
) -> None:
    before = _installed(server)
    _take_only(suture, "libbrotli")
    assert suture("plan", "create")[0] == 0

    server.run("find /var/cache -name 'libbrotli*.deb' -delete")
    server.run("mv /etc/apt/sources.list /etc/apt/sources.list.away")
    code, out, _ = suture("rehearse", "latest")
    assert (code, "could not be had" in out) == (4, True)
    server.run("mv /etc/apt/sources.list.away /etc/apt/sources.list")
    assert suture("rehearse", "latest")[0] == 0

    # The controller is killed while the host installs; the host goes on, and so does another.
    server.run(f"echo '{_SLOW}' >/etc/apt/apt.conf.d/99slow; : >/var/log/dpkg.log")
    driver = background("rollout", "start", "latest")
    _wait_for(server, "[ -e /run/installing ]")
    driver.kill()
    code, out, _ = suture("rollout", "watch", "latest", "--json")
    assert code == 0
    assert json.loads(out)["rollout"]["state"]["status"] == "done"
    server.run("rm /etc/apt/apt.conf.d/99slow")
    assert server.run("grep -c ' upgrade libbrotli1:' /var/log/dpkg.log") == "1\n"
    assert suture("verify")[0] == 0
    assert _installed(server) != before

    # A person lets go in the middle of the way back; somebody else goes on with it.
    server.run(f"rm /run/installing; echo '{_SLOW}' >/etc/apt/apt.conf.d/99slow")
    driver = background("rollback", "latest", "--yes")
    _wait_for(server, "[ -e /run/installing ]")
    driver.send_signal(signal.SIGINT)
    _, said = driver.communicate(timeout=60)
    assert driver.returncode == 130
    assert b"suture rollout watch" in said
    server.run("rm -f /etc/apt/apt.conf.d/99slow")
    assert "rollout watch" in suture("rollout", "status")[1]
    assert suture("rollout", "watch", "latest")[0] == 1  # taken back is not done
    assert _installed(server) == before

    # Another plan, after the host has been worked on: what it has seen must not stand in the way.
    _take_only(suture, "libbrotli", "libpcre2")
    assert suture("plan", "create")[0] == 0
    code, out, _ = suture("rehearse", "latest")
    assert code == 0, out
    assert suture("rollout", "start", "latest")[0] == 0
    assert suture("rollback", "latest", "--host", "server", "--yes")[0] == 0
    assert _installed(server) == before
    assert suture("evidence", "verify")[0] == 0


class _Clock(datetime):
    """The driver's, which a test may set ahead."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.ahead


def test_packages_lie_ready_when_the_window_opens(
    suture: Run, server: LabHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _installed(server)
    _take_only(suture, "libbrotli")
    opens = datetime.now(UTC) + timedelta(hours=3)
    policy = suture.place.policy.read_text()
    window = f"{{name: night, rule: FREQ=DAILY, start: '{opens:%H:%M}', duration: 2h}}"
    suture.place.policy.write_text(f"{policy}windows: [{window}]\npredownload: 6h\n")
    plan = json.loads(suture("plan", "create", "--json")[1])["plan"]
    wanted = {change["sha256"] for change in plan["hosts"][0]["changes"]}
    cached = "sha256sum /var/lib/suture/cache/*.deb | cut -d ' ' -f 1"
    server.run("rm -rf /var/lib/suture/cache; apt-get clean")
    monkeypatch.setattr(driver, "datetime", _Clock)
    seen: list[str] = []

    def open_the_window() -> None:
        """Once the packages are there; from then on the host can reach no archive."""
        try:
            _until(lambda: _fetched(suture.place))
            seen.extend((server.run(cached), _installed(server)))
            server.run("mv /etc/apt/sources.list /etc/apt/sources.list.away")
        finally:
            _Clock.ahead = timedelta(hours=3, minutes=1)

    watcher = threading.Thread(target=open_the_window, daemon=True)
    watcher.start()
    code, out, _ = suture("rollout", "start", "latest", "--without-rehearsal")
    watcher.join()
    server.run("mv /etc/apt/sources.list.away /etc/apt/sources.list", check=False)
    assert code == 0, out
    assert wanted <= set(seen[0].split())
    assert seen[1] == before != _installed(server)
    assert suture("rollback", "latest", "--yes")[0] == 0


def _fetched(place: Workspace) -> bool:
    """Whether the newest rollout has brought the packages to its host."""
    with fleet.opened(place) as store, store.read() as connection:
        rollout = rollouts.newest(connection)
        host = rollouts.get_host(connection, rollout, "server") if rollout else None
    return host is not None and host.fetched is True


def test_the_way_back_is_drilled_before_and_after_a_rollout(suture: Run, server: LabHost) -> None:
    before = _installed(server)
    _take_only(suture, "libbrotli")
    code, out, _ = suture("drill", "run", "server", "--json")
    (drill,) = json.loads(out)["done"]
    assert (code, drill["verdict"], drill["rollout"]) == (0, "pass", ""), out
    assert _installed(server) == before

    assert suture("plan", "create")[0] == 0
    assert suture("rollout", "start", "latest", "--without-rehearsal")[0] == 0
    after = _installed(server)
    code, out, _ = suture("drill", "run", "--json")
    (drill,) = json.loads(out)["done"]
    assert (code, drill["verdict"], drill["packages"]) == (0, "pass", 1), out
    assert drill["rollout"]
    steps = [report["step"] for report in drill["reports"]]
    assert steps[-3:] == ["roll-back", "reboot-roll-back", "verify-roll-back"]
    assert _installed(server) == after != before
    for command in (("drill", "list"), ("hosts", "list"), ("hosts", "show", "server")):
        listed = suture(*command)
        assert (listed[0], "s ago" in listed[1] or "just now" in listed[1]) == (0, True)
    assert suture("rollback", "latest", "--yes")[0] == 0
    assert suture("evidence", "verify")[0] == 0


def test_an_interrupted_or_killed_rehearsal_leaves_nothing(
    suture: Run, server: LabHost, background: Any
) -> None:
    server.run("rm -rf /var/lib/suture")  # another installation has used it
    _take_only(suture, "libbrotli")
    assert suture("plan", "create")[0] == 0
    twins = suture.place.twins

    interrupted = background("rehearse", "latest")
    _until(lambda: any((twins / "machines").glob("*/status.json")))
    interrupted.send_signal(signal.SIGINT)
    _, said = interrupted.communicate(timeout=60)
    assert (interrupted.returncode, b"suture rehearse latest" in said) == (130, True)
    assert _left_of(twins) == []

    killed = background("rehearse", "latest")
    _until(lambda: any(b'"ready":true' in one for one in _statuses(twins)))
    killed.kill()
    _until(lambda: _left_of(twins) == [])
    (twins / "clones" / "server-unfinished.1" / "root").mkdir(parents=True)

    assert suture("rehearse", "latest")[0] == 0
    assert _left_of(twins) == []
    assert not (twins / "clones" / "server-unfinished.1").exists()


def _statuses(twins: Path) -> list[bytes]:
    with contextlib.suppress(FileNotFoundError):
        return [status.read_bytes() for status in (twins / "machines").glob("*/status.json")]
    return []


def _left_of(twins: Path) -> list[str]:
    """Twins, mounts and processes below the directory."""
    machines = [str(one) for one in (twins / "machines").iterdir()]
    left = [line for line in Path("/proc/mounts").read_text().splitlines() if str(twins) in line]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            left += [command] if str(twins) in command else []
    return machines + left


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


def test_wrong_sudo_rights_name_the_line_to_add(suture: Run, server: LabHost) -> None:
    server.run(
        "useradd -m -s /bin/bash ops\n"
        "cp -r /root/.ssh /home/ops/ && chown -R ops /home/ops/.ssh\n"
        "command -v sudo >/dev/null || apt-get install -y -q sudo >/dev/null"
    )
    assert _add(suture, server, "ops", "asks") == 0
    code, out, _ = suture("hosts", "test", "asks")
    assert (code, "privilege" in out, "ops ALL=(root) NOPASSWD: /bin/sh" in out) == (3, True, True)
    server.run("echo 'ops ALL=(root) NOPASSWD: /bin/sh' >/etc/sudoers.d/suture")
    assert suture("hosts", "test", "asks")[0] == 0


def test_a_changed_host_key_is_refused_until_a_person_says_so(suture: Run, server: LabHost) -> None:
    server.run("rm /etc/ssh/ssh_host_*; ssh-keygen -A >/dev/null; systemctl restart ssh")
    code, out, _ = suture("scan", "--accept-new", "--json")
    (failed,) = json.loads(out)["failed"]
    assert (code, failed["kind"]) == (3, "host-key")
    assert "the host key changed" in failed["message"]
    assert suture("hosts", "test", "server", "--forget-key", "--accept-new")[0] == 0
    assert suture("scan")[0] == 1


def test_a_host_without_a_known_package_manager_is_said(suture: Run, server: LabHost) -> None:
    server.run("mv /usr/bin/dpkg-query /usr/bin/dpkg-query.away")
    try:
        code, out, _ = suture("scan", "--json")
    finally:
        server.run("mv /usr/bin/dpkg-query.away /usr/bin/dpkg-query")
    assert (code, json.loads(out)["failed"][0]["kind"]) == (3, "unsupported")
    assert suture("scan")[0] == 1


def test_what_a_hostile_host_prints_stays_text(suture: Run, server: LabHost) -> None:
    server.run(
        "cp --remove-destination $(readlink -f /etc/os-release) /etc/os-release.kept\n"
        "rm /etc/os-release; cp /etc/os-release.kept /etc/os-release\n"
        "printf 'PRETTY_NAME=\"\\033[2J\\033]0;owned\\a[bold]Debian\"\\n' >>/etc/os-release\n"
    )
    for command in (("scan",), ("hosts", "test"), ("hosts", "show", "server")):
        _, out, err = suture(*command)
        assert "[bold]Debian" in out
        assert not any(one in out + err for one in ("\x1b", "\x07"))
    server.run("mv /etc/os-release.kept /etc/os-release")
