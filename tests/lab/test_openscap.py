"""OpenSCAP on a real host: missing, installed, and left as it was."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from lab.fleet import LabHost
from suture.hosts.openscap import GUIDES
from tests.command import Run

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("openscap")]

CONTENT = Path(__file__).parents[1] / "recorded/scanners/openscap/ssg-debian12-ds.xml"


@pytest.fixture
def suture(
    server: LabHost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    run = Run(tmp_path, monkeypatch, capsys)
    target = f"root@{server.address}:{server.made.ssh_port}"
    assert run("hosts", "add", target, "--name", "server", "--key", server.made.key)[0] == 0
    return run


def test_openscap_runs_where_it_is_installed(suture: Run, server: LabHost) -> None:
    code, out, _ = suture("openscap", "--accept-new")
    assert (code, "server" in out, "OpenSCAP is not installed there" in out) == (3, True, True)

    server.run("apt-get install -y -qq openscap-scanner >/dev/null")
    code, out, _ = suture("openscap")
    assert (code, "there is no content for debian:12" in out) == (3, True)

    packed = base64.b64encode(CONTENT.read_bytes()).decode()
    server.run(f"mkdir -p {GUIDES}; echo {packed} | base64 -d >{GUIDES}/{CONTENT.name}")
    code, out, _ = suture("openscap", "--profile", "nosuch")
    assert (code, 'No profile matching suffix "nosuch"' in out) == (3, True)

    code, out, _ = suture("openscap", "server", "--json")
    (done,) = json.loads(out)["hosts"]
    assert (code, done["passed"], done["failed"], done["other"]) == (1, 1, 1, 1)
    assert "rule_banner" in suture("findings", "--configuration")[1]
    assert server.run("ls /var/lib/suture") == "openscap.lock\n"

    server.run("echo welcome >/etc/ssh/banner")
    assert suture("openscap")[0] == 0
    assert "rule_banner" not in suture("findings", "--configuration")[1]

    held = "flock /var/lib/suture/openscap.lock sleep 60"
    server.run(f"systemd-run -q --unit=held {held}; sleep 1")
    assert "OpenSCAP is running there already" in suture("openscap")[1]
    server.run("systemctl stop held")
