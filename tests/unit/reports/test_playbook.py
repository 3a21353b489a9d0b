"""The playbook: YAML that Ansible takes, with the plan's order and limits and none of its code."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from suture.core.planning.plan import Plan
from suture.reports.by_hand import Commands, commands
from suture.reports.playbook import inventory, playbook, way_back
from tests.unit.core.builders import host, plan, wave
from tests.unit.reports.test_by_hand import HOSTILE, rich

KNOWN = Path("/srv/suture's own/known_hosts")
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
    _, play, *_ = read(playbook(whole))
    assert play["serial"] == [1, 3]
    assert play["tasks"][-1]["name"] == "At most 2 of wave 1 may fail"
    assert "Way back" in [task["name"] for task in play["tasks"][2]["rescue"]]
    careful = read(playbook(replace(whole, rollback_on_failure=False)))[1]["tasks"]
    assert careful[-1]["name"] == "At most 0 of wave 1 may fail"
    assert [task["name"] for task in careful[2]["rescue"]] == ["It failed"], "left to a person"


def test_the_way_back_is_a_playbook_from_the_last_wave_on() -> None:
    titles = [play["name"] for play in read(way_back(rich()))]
    assert titles == ["The start", "Wave 2, ring-1", "Wave 1, ring-0", "The end"]


def test_soak_and_approval_stand_between_the_waves() -> None:
    titles = [play["name"] for play in read(playbook(rich()))]
    assert titles[1:5] == ["Wave 1, ring-0", "Watch wave 1", "Approval of ring-1", "Wave 2, ring-1"]


def test_the_inventory_holds_what_is_done_to_each_host() -> None:
    groups = read(inventory(rich(), HOSTS, KNOWN))["all"]["children"]
    assert list(groups["wave_1"]["hosts"]) == ["a", "b"]
    one = groups["wave_1"]["hosts"]["a"]
    assert (one["suture_reboot"], one["suture_reboot_s"]) == ("if-needed", 600)
    made = commands(rich(), rich().host("a"))
    assert one["suture_health"].splitlines() == ["set -ex", *made.health]


def test_keys_and_known_hosts_are_good_for_the_jump_host_as_well() -> None:
    keyed = {name: replace(one, key="/keys/it's mine") for name, one in HOSTS.items()}
    one = read(inventory(rich(), keyed, KNOWN))["all"]["children"]["wave_1"]["hosts"]["a"]
    pinned = ["-o", f'UserKnownHostsFile=~/.ssh/known_hosts "{KNOWN}"']
    *host, option, way = shlex.split(one["ansible_ssh_common_args"])
    assert (host, option) == (pinned, "-o")
    assert shlex.split(way.removeprefix("ProxyCommand=")) == [
        *("ssh", *pinned, "-i", "/keys/it's mine", "-W", "%h:%p", "ssh://ops@jump:2222")
    ]
    direct = {name: replace(one, jump=None) for name, one in HOSTS.items()}
    one = read(inventory(rich(), direct, KNOWN))["all"]["children"]["wave_1"]["hosts"]["a"]
    assert shlex.split(one["ansible_ssh_common_args"]) == pinned


def written(tmp_path: Path, whole: Plan) -> tuple[Path, Path]:
    book, hosts = tmp_path / "playbook.yml", tmp_path / "inventory.yml"
    book.write_text(playbook(whole))
    (tmp_path / "way-back.yml").write_text(way_back(whole))
    hosts.write_text(inventory(whole, HOSTS, KNOWN))
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
def test_ansible_takes_the_playbooks(tmp_path: Path) -> None:
    book, hosts = written(tmp_path, rich())
    for one in (book, tmp_path / "way-back.yml"):
        done = ansible("ansible-playbook", "--syntax-check", "-i", hosts, one, home=tmp_path)
        assert done.returncode == 0, done.stderr


@needs_ansible
def test_ansible_runs_no_template_that_a_plan_brings(tmp_path: Path) -> None:
    """The variable comes out as it went in: nobody multiplied seven by seven."""
    _, hosts = written(tmp_path, rich())
    book = tmp_path / "show.yml"
    task = {"ansible.builtin.copy": {"content": "{{ suture_health }}", "dest": f"{tmp_path}/shown"}}
    plays = [{"hosts": "a", "connection": "local", "gather_facts": False, "tasks": [task]}]
    book.write_text(json.dumps(plays))
    done = ansible("ansible-playbook", "-i", hosts, book, home=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    shown = (tmp_path / "shown").read_text()
    assert "{{ 7 * 7 }}" in shown
    assert shown.splitlines()[1:] == commands(rich(), rich().host("a")).health
    assert HOSTILE.split()[1] in shown


def rehearsed(whole: Plan, tmp_path: Path, **commands: str) -> Path:
    """The plan's playbook, for hosts that are this machine and whose commands are these: every one
    writes its name down first. ``a`` is one that nobody can reach."""
    _, hosts = written(tmp_path, whole)
    groups = read(hosts.read_text())["all"]["children"]
    for members in groups.values():
        for name, variables in members["hosts"].items():
            variables.clear()
            away = {"ansible_host": "127.0.0.1", "ansible_port": 1}
            variables |= away if name == "a" else {"ansible_connection": "local"}
            variables |= {"ansible_become": False, "suture_reboot": "never"}
            for field in Commands._fields:
                done = commands.get(f"{name}_{field}", commands.get(field, "true"))
                variables[f"suture_{field}"] = f"echo {name}-{field} >>{tmp_path}/log; {done}"
    hosts.write_text(yaml.safe_dump({"all": {"children": groups}}))
    return tmp_path / "playbook.yml"


@needs_ansible
@pytest.mark.parametrize("may_fail", [1, 2])
def test_failures_are_counted_over_the_wave_and_no_approval_is_taken_for_granted(
    tmp_path: Path, may_fail: int
) -> None:
    first = wave(0, ["a", "b", "c"], parallel=1, max_failures=may_fail, soak_s=0.0)
    whole = plan([first, wave(1, ["d"], approval=True)])
    # Not patched at first, unless somebody installed.
    asked = f"grep -q $HOST-install {tmp_path}/log"
    patched = {f"{name}_patched": asked.replace("$HOST", name) for name in "bcd"}
    book = rehearsed(whole, tmp_path, **patched, b_install="false")
    done = ansible("ansible-playbook", "-i", tmp_path / "inventory.yml", book, home=tmp_path)
    log = (tmp_path / "log").read_text().split()
    assert done.returncode == 2, done.stdout
    there = ["patched", "unpatched", "health", "bundle", "download", "install"]
    back = ["way_back", "same_kernel", "unpatched", "health"]
    expected = [f"b-{one}" for one in (*there, *back)]
    if may_fail == 2:
        expected += [f"c-{one}" for one in (*there, "restart", "patched", "health")]
    assert log == expected, done.stdout
    assert ("It is approved" in done.stdout) is (may_fail == 2)
    assert ("Failed: a, b" in done.stdout) is (may_fail == 1), done.stdout


@needs_ansible
def test_a_way_back_that_ends_in_another_kernel_has_failed(tmp_path: Path) -> None:
    whole = plan([wave(0, ["b"], soak_s=0.0), wave(1, ["c"], soak_s=0.0)])
    rehearsed(whole, tmp_path, unpatched="false", c_unpatched="true", c_same_kernel="false")
    hosts, book = tmp_path / "inventory.yml", tmp_path / "way-back.yml"
    done = ansible("ansible-playbook", "-i", hosts, book, home=tmp_path)
    assert (done.returncode, "Failed: c" in done.stdout) == (2, True), done.stdout
    assert "The kernel is that of before: non-zero return code" in done.stdout
    assert (tmp_path / "log").read_text().split() == ["c-unpatched", "c-same_kernel"]


@needs_ansible
def test_a_limit_does_not_get_around_an_approval(tmp_path: Path) -> None:
    whole = plan([wave(0, ["b"], soak_s=0.0), wave(1, ["c"], approval=True)])
    book = rehearsed(whole, tmp_path)
    hosts = tmp_path / "inventory.yml"
    limit = ("--limit", "wave_2")
    done = ansible("ansible-playbook", "-i", hosts, book, *limit, home=tmp_path)
    assert (done.returncode, "Add localhost to --limit" in done.stdout) == (2, True), done.stdout
    assert not (tmp_path / "log").exists()
