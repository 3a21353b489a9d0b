"""``suture worker`` and ``suture db`` as a person or a program meets them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.engine import membership
from suture.services import fleet
from suture.store import workers
from suture.store.workers import Worker
from tests.command import Run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def suture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return Run(tmp_path, monkeypatch, capsys)


def test_where_nobody_works_a_command_says_how_to_begin(suture: Run) -> None:
    code, out, _ = suture("worker", "list")
    assert code == 0
    assert "suture worker" in out


def test_who_is_at_work_is_listed(suture: Run) -> None:
    with fleet.opened(suture.place) as store, store.begin() as connection:
        mine = membership.this_process(jumps=("ops@bastion",), sites=("berlin",))
        workers.enlist(connection, mine)
        workers.enlist(connection, Worker(id="far-1-1", machine="m", pid=1, drives="r1"))
    _, out, _ = suture("worker", "list")
    assert "ops@bastion, berlin" in out
    assert "all rollouts" in out
    _, text, _ = suture("worker", "list", "--json")
    here, far = sorted(json.loads(text)["workers"], key=lambda one: str(one["worker"]["drives"]))
    assert (here["is_silent"], here["hosts"], far["worker"]["drives"]) == (False, [], "r1")


def test_one_that_ended_without_a_word_is_silent(suture: Run) -> None:
    with fleet.opened(suture.place) as store, store.begin() as connection:
        mine = membership.this_process()
        workers.enlist(connection, mine)
        workers.enlist(connection, replace(mine, id=f"{mine.id.rpartition('-')[0]}-1"))
    listed = suture("worker", "list")[1]
    assert listed.count(" ago, silent") == 1


@pytest.mark.parametrize(
    ("jumps", "sites", "told"),
    [(("ops@bastion",), (), True), ((), ("berlin",), True), ((), (), False)],
)
def test_where_all_are_bound_it_is_said_what_they_do_too(
    suture: Run, jumps: tuple[str, ...], sites: tuple[str, ...], told: bool
) -> None:
    with fleet.opened(suture.place) as store, store.begin() as connection:
        workers.enlist(connection, membership.this_process(jumps=jumps, sites=sites))
    assert ("All of them are bound to sites" in suture("worker", "list")[1]) is told


@pytest.mark.parametrize("option", ["--jump", "--site"])
def test_a_site_without_a_name_is_refused(suture: Run, option: str) -> None:
    code, _, err = suture("worker", option, "", COLUMNS="200")
    assert (code, "need a name" in err) == (2, True)


def test_a_worker_ends_with_0_when_it_is_told_to(tmp_path: Path) -> None:
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "SUTURE_HOME": str(tmp_path)}
    program = "from suture.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, "worker", "--jump", "ops@bastion", "--site", "berlin"],
        env=env,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            said = "0 hosts behind ops@bastion or with label berlin"
            assert said in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert "Stopped" in process.stderr.read()
        finally:
            process.kill()


def test_a_database_says_what_it_is(suture: Run) -> None:
    _, text, _ = suture("db", "status", "--json")
    found = json.loads(text)
    assert (found["kind"], found["rows"]["hosts"], found["unfinished"]) == ("sqlite", 0, [])
    _, out, _ = suture("db", "status")
    assert "0 workers at work" in out


def test_moving_says_where_to_and_what_to_do_next(suture: Run, tmp_path: Path) -> None:
    assert suture("hosts", "import", "-", stdin=b"[web]\nweb1\n")[0] == 0
    source, target = suture.place.database, f"sqlite:///{tmp_path}/target.sqlite"
    code, out, _ = suture("db", "migrate", source, target)
    assert code == 0
    assert "whole" in out
    assert "SUTURE_DATABASE" in out
    code, _, err = suture("db", "migrate", source, target)
    assert code == 2
    assert "the target is not empty: " in err
