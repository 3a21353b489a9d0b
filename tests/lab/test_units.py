"""Workers as the systemd units of ``docs/deploy`` run them, from the wheel, on a real host: with
PostgreSQL on another machine, hardened, replaced when one is killed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lab.fleet import Lab, LabHost, Wanted
from tests.unit.store import postgresql

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("units")]

_REPOSITORY = Path(__file__).parent.parent.parent
_ADDRESS, _PASSWORD = "127.77.255.2", "hand-over-of-the-moon"
_UNIT = "suture-worker@.service"
_NOT_NEEDED = ("*mypy*", "ruff*", "pip*", "setuptools*", "*hypothesis*", "_pytest", "suture*")
_SLOW = 'DPkg::Pre-Invoke {"touch /run/installing; sleep 8";};'
_COMMAND = """#!/usr/bin/python3
import sys
sys.path.insert(0, "/opt/suture")
from suture.cli.main import main
main()"""
_MOST_EXPOSED = 2.0  # of 10, by systemd-analyze security


@pytest.fixture
def database() -> Iterator[str]:
    """Its URL, without the password that it asks for."""
    if why := postgresql.missing():
        pytest.skip(why)
    with postgresql.running(address=_ADDRESS) as server:
        here = sa.make_url(server.empty())
        engine = sa.create_engine(here)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE ROLE suture LOGIN PASSWORD '{_PASSWORD}'")
            connection.exec_driver_sql(f"ALTER DATABASE {here.database} OWNER TO suture")
        engine.dispose()
        yield f"postgresql+psycopg://suture@{_ADDRESS}/{here.database}"


class Controller:
    """A host that Suture is installed on as docs/workers.md says."""

    def __init__(self, host: LabHost, database: str, target: LabHost) -> None:
        self.host = host
        self._install()
        key = Path(target.made.key).read_text()
        host.run(
            "useradd --system --home-dir /var/lib/suture suture\n"
            "install -d -m 0700 -o suture -g suture /var/lib/suture /var/lib/suture/.ssh\n"
            f"mkdir /etc/suture; echo 'SUTURE_DATABASE={database}' >/etc/suture/worker.env\n"
            "umask 077\n"
            f"echo '{_ADDRESS}:*:*:suture:{_PASSWORD}' >/var/lib/suture/.pgpass\n"
            f"echo '{key}' >/var/lib/suture/.ssh/id_ed25519\n"
            "chown suture: /var/lib/suture/.pgpass /var/lib/suture/.ssh/id_ed25519\n"
        )
        shutil.copy(_REPOSITORY / "docs" / "deploy" / _UNIT, host.root / "etc/systemd/system")
        host.run("systemctl daemon-reload")

    def _install(self) -> None:
        """The wheel, and what it stands on as it is here."""
        place = self.host.root / "opt" / "suture"
        libraries = Path(sa.__file__).parent.parent
        shutil.copytree(libraries, place, ignore=shutil.ignore_patterns(*_NOT_NEEDED))
        build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place)]
        subprocess.run(build, cwd=_REPOSITORY, check=True, capture_output=True)
        self.host.run(
            "cd /opt/suture && python3 -m zipfile -e suture-*.whl .\n"
            f"echo '{_COMMAND}' >/usr/local/bin/suture; chmod 755 /usr/local/bin/suture"
        )

    def __call__(self, command: str, *, check: bool = True) -> str:
        """As a person runs it there."""
        home = "HOME=/var/lib/suture SUTURE_HOME=/var/lib/suture $(cat /etc/suture/worker.env)"
        return self.host.run(f"runuser -u suture -- env -C / {home} suture {command}", check=check)

    def asked(self, command: str) -> Any:
        return json.loads(self(f"{command} --json", check=False))

    def shown(self, worker: int, name: str) -> str:
        """A property of the unit."""
        return self.host.run(f"systemctl show -p {name} --value suture-worker@{worker}").strip()


def _until(condition: Any, what: str) -> Any:
    for _ in range(300):
        if found := condition():
            return found
        time.sleep(0.2)
    raise AssertionError(f"never came: {what}")


def test_two_workers_of_the_unit_carry_a_rollout_through_a_kill(lab: Lab, database: str) -> None:
    host, target = lab.boot(Wanted("controller"), Wanted("target"))
    python = host.run("python3 -c 'import sys; print(*sys.version_info[:2])'").split()
    if python != [str(number) for number in sys.version_info[:2]]:
        pytest.skip(f"hosts have Python {'.'.join(python)}, these libraries are for another")
    suture = Controller(host, database, target)
    verify = "systemd-analyze verify --man=no suture-worker@1.service 2>&1"
    assert host.run(verify, check=False) == ""
    where = f"root@{target.address}:{target.made.ssh_port}"
    suture(f"hosts add {where} --name target")
    report = json.loads(suture("scan --accept-new --json", check=False))
    updates = {one["package"] for one in report["hosts"][0]["ledger"]["entries"]}
    others = sorted(name for name in updates if not name.startswith("libbrotli"))
    policy = f"select: {{exclude: {json.dumps(others)}}}\nrings: [{{name: all}}]\n"
    host.run(f"echo '{policy}' >/var/lib/suture/policy.yaml")
    assert suture.asked("plan create")["plan"]["hosts"]
    suture("rollout start latest --without-rehearsal --detach")
    target.run(f"echo '{_SLOW}' >/etc/apt/apt.conf.d/99slow")

    host.run("systemctl start suture-worker@1 suture-worker@2")
    _until(lambda: target.run("ls /run/installing", check=False), "the installation")
    (at_work,) = [one for one in suture.asked("worker list")["workers"] if one["hosts"]]
    pids = {suture.shown(number, "MainPID"): number for number in (1, 2)}
    killed = pids.pop(str(at_work["worker"]["pid"]))
    (survivor,) = pids.values()
    host.run(f"kill -9 {at_work['worker']['pid']}")
    watched = suture.asked("rollout watch latest")
    assert watched["rollout"]["state"]["status"] == "done", watched
    assert target.run("grep -c ' upgrade libbrotli1:' /var/log/dpkg.log") == "1\n"
    assert '"event": "takes over"' in host.run("cat /var/lib/suture/suture.log")
    _until(lambda: suture.shown(killed, "ActiveState") == "active", "the restart")
    assert suture.shown(killed, "NRestarts") == "1"

    host.run("systemctl stop 'suture-worker@*'")
    ended = [suture.shown(survivor, name) for name in ("Result", "ExecMainStatus", "NRestarts")]
    assert ended == ["success", "0", "0"]
    told = host.run(
        "journalctl --no-pager; cat /var/lib/suture/suture.log; systemctl show 'suture-worker@*'"
    )
    assert "all hosts" in told
    assert _PASSWORD not in told
    exposed = host.run("systemd-analyze security --no-pager suture-worker@1")
    (level,) = re.findall(r"Overall exposure level.*: ([0-9.]+) ", exposed)
    assert float(level) <= _MOST_EXPOSED
