"""A plan that people carry out on real hosts, from what was written out for them: the playbook as
Ansible runs it, the runbook as it is pasted into a terminal. ``suture verify`` judges both."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.fleet import Lab, LabHost, Wanted
from lab.repository import ORIGIN_PATTERN
from tests.command import Run

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("by-hand")]

needs_ansible = pytest.mark.skipif(
    shutil.which("ansible-playbook") is None, reason="ansible-core is not installed"
)
_OLD_RECORD = """[{"text": "written before there were authors"}]"""
_RECAP = re.compile(r"^(\S+)\s+: (ok=.*)$", re.MULTILINE)


@pytest.fixture
def suture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return Run(tmp_path, monkeypatch, capsys)


def planned(suture: Run, hosts: Sequence[LabHost], *packages: str, rings: str) -> str:
    """The id of a plan that brings these packages to the hosts, and no others. The first host is
    the jump host of the others."""
    for host in hosts:
        way = [_target(host), "--name", host.name, "--key", host.made.key]
        way += ["--jump", _target(hosts[0])] if host is not hosts[0] else []
        assert suture("hosts", "add", *way)[0] == 0
    report = json.loads(suture("scan", "--accept-new", "--json")[1])
    updates = {one["package"] for host in report["hosts"] for one in host["ledger"]["entries"]}
    others = sorted(name for name in updates if not name.startswith(packages))
    select = {"exclude": others, "trusted_origins": [ORIGIN_PATTERN]}
    suture.place.policy.write_text(f"select: {json.dumps(select)}\n{rings}")
    code, out, _ = suture("plan", "create", "--json")
    assert code == 0, out
    plan = json.loads(out)
    assert len(plan["plan"]["hosts"]) == len(hosts), out
    return str(plan["id"])


def _target(host: LabHost) -> str:
    return f"root@{host.address}:{host.made.ssh_port}"


class Ansible:
    """``ansible-playbook`` over what a plan was written out as; its recap by host."""

    def __init__(self, suture: Run, folder: Path) -> None:
        self._folder = folder
        home = str(suture.place.home / "ansible")
        self._environment = {**os.environ, "ANSIBLE_HOME": home, "ANSIBLE_NOCOLOR": "1"}

    def __call__(self, book: str, *more: str) -> tuple[int, dict[str, dict[str, int]], str]:
        done = subprocess.run(
            ["ansible-playbook", "-i", self._folder / "inventory.yml", self._folder / book, *more],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            timeout=300,
        )
        said = done.stdout + done.stderr
        print(said)
        recap = {
            name: {key: int(value) for key, value in (one.split("=") for one in counts.split())}
            for name, counts in _RECAP.findall(done.stdout)
        }
        return done.returncode, recap, said


def notes(hosts: Sequence[LabHost]) -> list[str]:
    return [host.run("dpkg-query -W -f '${Version}' lab-notes") for host in hosts]


@needs_ansible
def test_a_playbook_stops_at_a_failure_and_goes_on_when_it_is_run_again(
    lab: Lab, suture: Run, tmp_path: Path
) -> None:
    booted = lab.boot(Wanted("one"), Wanted("two"), Wanted("three"))
    plan = planned(suture, booted, "lab-notes", rings="rings: [{name: all, parallel: 1}]\n")
    folder = tmp_path / "out"
    assert suture("plan", "export", plan, "--format", "ansible", "--output", str(folder))[0] == 0
    ansible = Ansible(suture, folder)
    order = list(_inventory(folder)["wave_1"]["hosts"])
    first, second, third = hosts = [next(h for h in booted if h.name == name) for name in order]
    marks = [host.run("apt-mark showmanual") for host in hosts]

    code, recap, said = ansible("playbook.yml", "--check")
    assert (code, notes(hosts)) == (0, ["1.0", "1.0", "1.0"]), said
    assert not any(one["changed"] for one in recap.values() if "changed" in one), said

    second.run(f"mkdir -p /var/lib/lab-notes; echo '{_OLD_RECORD}' >/var/lib/lab-notes/notes.json")
    second.run("systemctl restart lab-notes", check=False)
    code, recap, said = ansible("playbook.yml")
    assert code == 2, said
    assert notes(hosts) == ["1.1", "1.0", "1.0"], said
    assert second.run("systemctl is-active lab-notes").strip() == "active"
    assert f"Failed: {second.name}" in said
    assert third.name not in recap

    second.run("rm /var/lib/lab-notes/notes.json; systemctl restart lab-notes")
    code, recap, said = ansible("playbook.yml")
    assert (code, notes(hosts)) == (0, ["1.1"] * 3), said
    assert (recap[first.name]["changed"], recap[third.name]["changed"] > 0) == (0, True)
    assert suture("verify", "--plan", plan)[0] == 0
    code, recap, said = ansible("playbook.yml")
    assert (code, {one["changed"] for one in recap.values()}) == (0, {0}), said

    code, recap, said = ansible("way-back.yml")
    assert (code, notes(hosts)) == (0, ["1.0"] * 3), said
    assert [host.run("apt-mark showmanual") for host in hosts] == marks
    assert suture("verify", "--plan", plan)[0] == 1
    for host in booted:
        host.remove()
        lab.hosts.remove(host)


def _inventory(folder: Path) -> Any:
    loader = type("Loader", (yaml.SafeLoader,), {})
    loader.add_constructor("!unsafe", lambda _, node: str(node.value))  # type: ignore[attr-defined]
    text = (folder / "inventory.yml").read_text()
    return yaml.load(text, loader)["all"]["children"]


class Terminal:
    """A person at a terminal of the host: pastes, reads how it ended, and logs in again after a
    reboot."""

    def __init__(self, host: LabHost) -> None:
        self._host = host
        self._process: subprocess.Popen[bytes] | None = None

    def paste(self, block: str) -> tuple[str, str]:
        """FINE, FAILED or GONE, and all that was shown."""
        process = self._process = self._process or self._log_in()
        assert process.stdin and process.stdout
        boots = self._host.container.boots
        process.stdin.write(f"{block}\n".encode())
        process.stdin.flush()
        shown = ""
        for line in process.stdout:
            shown += line.decode(errors="replace")
            word = line.strip().decode(errors="replace")
            if word in ("FINE", "FAILED") and "systemctl reboot\r" not in shown.split("+ ")[-1]:
                return word, shown
        self.close()
        self._host.wait(boots=boots + 1)
        return "GONE", shown

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _log_in(self) -> subprocess.Popen[bytes]:
        command = self._host.ssh_command.replace("ssh ", "ssh -tt -q ", 1)
        pipe = subprocess.PIPE
        return subprocess.Popen(command.split(), stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)


def blocks(text: str) -> dict[str, str]:
    """What stands before each block of the runbook → the block, as a person selects it."""
    found = re.findall(r"^(\S.*)\n\n((?:      .*\n)+)", text, re.MULTILINE)
    return {title: re.sub("^      ", "", block, flags=re.MULTILINE) for title, block in found}


def test_a_runbook_is_pasted_there_and_back(server: LabHost, suture: Run) -> None:
    """What the system's message bus runs, is replaced only by a reboot."""
    plan = planned(suture, [server], "libpcre2", rings="rings: [{name: all}]\n")
    read = blocks(suture("plan", "export", plan)[1])
    first, *titles = list(read)
    there, back = titles[:-3], titles[-3:]
    assert (first[:12], back[0][:9]) == ("- [ ] Before", "Way back,")
    state = "dpkg-query -W; apt-mark showmanual; find /etc -type f -exec md5sum {} + | sort"
    before = server.run(state)
    person = Terminal(server)

    endings = {title: person.paste(read[title]) for title in (first, *there)}
    assert [word for word, _ in endings.values()].count("GONE") == 1, endings
    assert "FAILED" not in {word for word, _ in endings.values()}, endings
    code, out, _ = suture("verify", "--plan", plan)
    assert code == 0, out
    word, shown = person.paste(read[first])
    assert (word, "> libpcre2-8-0:amd64 " in shown) == ("FAILED", True), shown

    endings = {title: person.paste(read[title]) for title in back}
    assert [word for word, _ in endings.values()] == ["FINE", "GONE", "FINE"], endings
    assert suture("verify", "--plan", plan)[0] == 1
    assert server.run(state) == before
    person.close()
