"""The lab itself: what the tests on real hosts stand on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import fleet, packages, places, requirements
from lab.fleet import Lab, LabHost, Wanted
from suture.twin.containers import Container
from suture.twin.processes import Process, find

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_OWNER = """
import signal
from lab.fleet import Lab, Wanted
lab = Lab()
(host,) = lab.boot(Wanted("orphan"))
print(host.container.directory, lab.directory, flush=True)
signal.pause()
"""


def test_a_host_is_a_server_that_an_operator_would_know(server: LabHost) -> None:
    assert server.run("systemctl is-system-running").strip() == "running"
    assert server.run("hostname").strip() == "server"
    assert server.run(f"curl -sSf {server.web}").strip() == "server"
    assert server.run(f"curl -sSf http://{server.address}:8080/") == "Hello from server\n"
    assert server.run(f"curl -sSf http://{server.address}:8090/") == "0 notes\n"


async def test_a_host_answers_the_product_over_ssh(server: LabHost) -> None:
    async with server.connect() as transport:
        result = await transport.run("id -un; hostname", timeout_s=20)
    assert result.stdout == b"root\nserver\n"


def test_real_security_updates_wait_on_a_host(server: LabHost) -> None:
    waiting = server.run("apt list --upgradable 2>/dev/null")
    security = [line for line in waiting.splitlines() if "-security" in line]
    assert len([line for line in security if not line.startswith("lab-")]) > 0
    for name in (packages.GREETER, packages.NOTES):
        assert any(
            line.startswith(f"{name}/lab-security 1.1 ") and line.endswith("from: 1.0]")
            for line in security
        )


def test_hosts_share_nothing_that_tells_them_apart(lab: Lab) -> None:
    first, second = lab.boot(Wanted("one", labels=("eu",)), Wanted("two", service="shop"))
    for script in (
        "cat /etc/machine-id",
        "cat /etc/ssh/ssh_host_ed25519_key.pub",
        "hostname",
        _BOOT_ID,
    ):
        assert first.run(script) != second.run(script)
    assert first.address != second.address
    assert (first.host.labels, second.host.service) == (("eu",), "shop")
    first.run("touch /srv/mine")
    assert second.run("ls /srv") == ""


def test_a_reboot_is_one(server: LabHost) -> None:
    server.run("touch /srv/kept /run/lost")
    before = server.run(_BOOT_ID)
    server.reboot()
    assert server.run(_BOOT_ID) != before
    assert server.run("ls /srv/kept; ls /run/lost", check=False) == "/srv/kept\n"


def test_a_stopped_host_keeps_its_disk(lab_host: LabHost) -> None:
    lab_host.run("touch /srv/kept")
    lab_host.stop()
    assert lab_host.container.leader is None
    lab_host.boot()
    assert lab_host.run("ls /srv") == "kept\n"


def test_the_new_greeter_breaks_and_the_old_one_mends(lab_host: LabHost) -> None:
    _install(lab_host, f"{packages.GREETER}={packages.NEW}")
    assert not _serves(lab_host, packages.GREETER, 8080)
    _install(lab_host, f"{packages.GREETER}={packages.OLD}")
    assert _serves(lab_host, packages.GREETER, 8080)


def test_the_new_notes_die_on_an_old_record_alone(lab_host: LabHost) -> None:
    _install(lab_host, f"{packages.NOTES}={packages.NEW}")
    assert _serves(lab_host, packages.NOTES, 8090)
    _write_notes(lab_host, '[{"text": "new", "author": "ann"}]')
    assert _serves(lab_host, packages.NOTES, 8090)
    _write_notes(lab_host, '[{"text": "old"}]')
    assert not _serves(lab_host, packages.NOTES, 8090)
    _install(lab_host, f"{packages.NOTES}={packages.OLD}")
    assert _serves(lab_host, packages.NOTES, 8090)


def test_a_killed_owner_takes_its_hosts_along(lab: Lab) -> None:
    with _owner() as (owner, host, directory):
        leader = _leader(host)
        owner.kill()
        owner.wait()
        _until(lambda: not host.exists())
    assert not leader.is_alive
    fleet.clean()
    assert not directory.exists()


def test_what_a_killed_owner_and_supervisor_leave_is_cleaned(lab: Lab) -> None:
    with _owner() as (owner, host, directory):
        leader = _leader(host)
        status = Container(host).status
        assert status
        os.kill(status.supervisor.pid, signal.SIGSTOP)
        owner.kill()
        owner.wait()
        assert leader.is_alive
        fleet.clean()
    assert not leader.is_alive
    assert not status.supervisor.is_alive
    assert not host.exists()
    assert not directory.exists()
    assert str(host) not in Path("/proc/self/mounts").read_text()


def test_an_owner_that_lives_keeps_its_hosts(server: LabHost) -> None:
    before = server.leader
    fleet.clean()
    assert server.leader == before


def test_of_two_who_raise_a_fleet_at_once_one_is_told(lab: Lab) -> None:
    place = places.hosts() / "raised-twice"
    command = [sys.executable, "-m", "lab"]
    environment = {**os.environ, "SUTURE_LAB_HOSTS": str(place)}
    try:
        both = [
            subprocess.Popen(
                [*command, "up", "--hosts", "1"], env=environment, stdout=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        said = sorted((one.communicate()[0], one.returncode) for one in both)
        assert [code for _, code in said] == [1, 0]
        assert f"A fleet is up already, raised from {Path.cwd()} at" in said[0][0]
    finally:
        down = subprocess.run(
            [*command, "down"], env=environment, capture_output=True, text=True, check=True
        )
        shutil.rmtree(place)
    assert down.stdout.startswith(f"Removed web1; raised from {Path.cwd()} at")


def test_hosts_kept_in_different_places_have_different_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    taken = []
    for place in (tmp_path / "one", tmp_path / "two"):
        monkeypatch.setenv("SUTURE_LAB_HOSTS", str(place))
        with fleet.numbered_directory() as directory:
            taken.append(directory.name)
    assert taken[0] != taken[1]


def test_a_machine_without_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert any(problem.startswith("root: ") for problem in requirements.missing())


@contextmanager
def _owner() -> Iterator[tuple[subprocess.Popen[str], Path, Path]]:
    """A process that owns one host: itself, the host's directory and its lab's."""
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert owner.stdout
        host, directory = owner.stdout.readline().split()
        yield owner, Path(host), Path(directory)
    finally:
        owner.kill()
        owner.wait()


def _leader(host: Path) -> Process:
    leader = Container(host).leader
    assert leader and find(leader.pid) == leader
    return leader


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _install(host: LabHost, package: str) -> None:
    host.run(
        "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --allow-downgrades "
        f"-o Dpkg::Options::=--force-confold {package} </dev/null"
    )


def _write_notes(host: LabHost, notes: str) -> None:
    host.run(
        f"mkdir -p /var/lib/lab-notes; echo '{notes}' >/var/lib/lab-notes/notes.json\n"
        "systemctl restart lab-notes || true"
    )


def _serves(host: LabHost, package: str, port: int) -> bool:
    """Whether its service settles on answering rather than on having failed."""
    answered = host.run(
        f"until curl -sSf -o /dev/null http://{host.address}:{port}/; do\n"
        f"    ! systemctl is-failed --quiet {package} || exit 1\n"
        "    sleep 0.1\n"
        "done; echo yes",
        check=False,
        timeout_s=60,
    )
    return answered == "yes\n"
