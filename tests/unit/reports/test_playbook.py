"""The playbook: YAML that Ansible takes, with the plan's order and limits and none of its code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from suture.core.planning.plan import Plan
from suture.reports.by_hand import commands
from suture.reports.playbook import inventory, playbook
from tests.unit.core.builders import host, plan, wave
from tests.unit.reports.test_by_hand import HOSTILE, rich

HOSTS = {name: host(name, jump="ops@jump:2222") for name in ("a", "b", "c", "d")}

needs_ansible = pytest.mark.skipif(
    shutil.which("ansible-playbook") is None, reason="ansible-core is not installed"
)


class Loader(yaml.SafeLoader):
    """Takes ``!unsafe`` for the text that it marks."""


Loader.add_constructor("!unsafe", lambda loader, node: str(node.value))


def read(text: str) -> Any:
    return yaml.load(text, Loader=Loader)


def test_a_wave_is_a_play_in_batches_that_keep_the_limits() -> None:
    names = ["a", "b", "c", "d"]
    whole = plan([wave(0, names, parallel=3, max_failures=2)], {"web": (["a", "b"], 1)})
    play, _ = read(playbook(whole))
    assert (play["serial"], play["max_fail_percentage"]) == ([1, 3], 50)
    careful = replace(whole, rollback_on_failure=False)
    assert read(playbook(careful))[0]["max_fail_percentage"] == 0


def test_soak_and_approval_stand_between_the_waves() -> None:
    titles = [play["name"] for play in read(playbook(rich()))]
    assert titles[:4] == ["Wave 1, ring-0", "Watch wave 1", "Approval of ring-1", "Wave 2, ring-1"]


def test_the_inventory_holds_what_is_done_to_each_host() -> None:
    groups = read(inventory(rich(), HOSTS))["all"]["children"]
    assert list(groups["wave_1"]["hosts"]) == ["a", "b"]
    one = groups["wave_1"]["hosts"]["a"]
    assert one["suture_packages"][0] == "nginx:amd64=1.22.1-9+deb12u1"
    assert one["ansible_ssh_common_args"] == "-J ops@jump:2222"
    assert one["suture_reboot"] == "if-needed"
    made = commands(rich(), rich().host("a"))
    assert one["suture_after"].splitlines() == ["set -e", *made.after]


def written(tmp_path: Path, whole: Plan) -> tuple[Path, Path]:
    book, hosts = tmp_path / "playbook.yml", tmp_path / "inventory.yml"
    book.write_text(playbook(whole))
    hosts.write_text(inventory(whole, HOSTS))
    return book, hosts


def ansible(*command: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ANSIBLE_HOME": str(home), "ANSIBLE_LOCALHOST_WARNING": "false"}
    return subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=120,
    )


@needs_ansible
def test_ansible_takes_the_playbook(tmp_path: Path) -> None:
    book, hosts = written(tmp_path, rich())
    done = ansible("ansible-playbook", "--syntax-check", "-i", hosts, book, home=tmp_path)
    assert done.returncode == 0, done.stderr


@needs_ansible
def test_ansible_runs_no_template_that_a_plan_brings(tmp_path: Path) -> None:
    """The variable comes out as it went in: nobody multiplied seven by seven."""
    _, hosts = written(tmp_path, rich())
    book = tmp_path / "show.yml"
    task = {"ansible.builtin.copy": {"content": "{{ suture_after }}", "dest": f"{tmp_path}/shown"}}
    plays = [{"hosts": "a", "connection": "local", "gather_facts": False, "tasks": [task]}]
    book.write_text(json.dumps(plays))
    done = ansible("ansible-playbook", "-i", hosts, book, home=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    shown = (tmp_path / "shown").read_text()
    assert "{{ 7 * 7 }}" in shown
    assert shown.splitlines()[1:] == commands(rich(), rich().host("a")).after
    assert HOSTILE.split()[1] in shown
