"""The commands as a person or a program meets them: output, exit codes, errors with a remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from suture.core.documents import encode
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.plan import Plan
from suture.core.planning.windows import Window
from suture.services import fleet, plans, policies, rehearsals
from suture.store import inventories
from suture.store import plans as stored_plans
from suture.twin.rehearsal import Rehearsal
from tests.command import Run
from tests.unit.core import builders
from tests.unit.core.builders import NOW

COMMAND = "from suture.cli.main import main; main()"
INVENTORY = "[web]\nweb1 suture_service=shop\nweb2 suture_service=shop\n"


@pytest.fixture
def suture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    return Run(tmp_path, monkeypatch, capsys)


@pytest.fixture
def enrolled(suture: Run) -> Run:
    assert suture("hosts", "import", "-", stdin=INVENTORY.encode())[0] == 0
    return suture


def _rehearsed(run: Run, plan: Plan, class_id: str, *reports: StepReport) -> None:
    """Keep a rehearsal that passed."""
    policy, _ = policies.load(run.place)
    with fleet.opened(run.place) as store, store.begin() as connection:
        standings = rehearsals.standings(connection, plan, policy, NOW)
        (inputs,) = (one.inputs for one in standings if one.class_id == class_id)
        rehearsal = Rehearsal(
            plan.id,
            class_id,
            "web1",
            Verdict.PASS,
            "",
            NOW,
            1.0,
            reports=reports,
            inputs=inputs,
        )
        stored_plans.save_rehearsal(
            connection,
            plan=plan.id,
            class_id=class_id,
            verdict=rehearsal.verdict,
            ended_at=NOW,
            document=encode(rehearsal),
        )


@pytest.fixture
def planned(enrolled: Run) -> Run:
    """A plan of one wave for both hosts, rehearsed with a pass; nothing was started."""
    plan = builders.plan([builders.wave(0, ["web1", "web2"], approval=True)])
    with fleet.opened(enrolled.place) as store:
        plans.save(store, plan, "kim")
    for host in plan.hosts:
        _rehearsed(enrolled, plan, host.class_id)
    return enrolled


def test_help_and_completion(suture: Run) -> None:
    assert "suture scan user@host" in suture("--help")[1]
    code, script, _ = suture(
        "--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1"
    )
    assert (code, "complete -o default -F" in script) == (0, True)
    code, words, _ = suture(
        _SUTURE_COMPLETE="complete_bash", COMP_WORDS="suture rollout ", COMP_CWORD="2"
    )
    assert {"start", "watch", "abort"} <= set(words.split())


@pytest.mark.parametrize(
    ("arguments", "said", "remedy"),
    [
        (("hosts", "show", "db9"), "no host 'db9' is enrolled", "suture hosts list"),
        (("hosts", "add", "-x@-y"), "", ""),
        (("hosts", "add", "web1", "--jump", "a b"), "not a jump host", "user@host"),
        (("hosts", "add", "web1", "--criticality", "huge"), "'huge'", "low, medium"),
        (("hosts", "remove", "db9"), "no host 'db9'", "suture hosts list"),
        (("scan", "a b"), "not a target: 'a b'", "user@host"),
        (("hosts", "add", "web1", "--criticality", ""), "''", "low, medium"),
        (("hosts", "add", "web1", "--key", "/no/key"), "no private key file /no/key", "SSH agent"),
        (("explain", "NONSENSE"), "not the id of a vulnerability: 'NONSENSE'", "CVE-2026-12345"),
        (("explain", "CVE-2026"), "not the id of a vulnerability: 'CVE-2026'", "CVE-2026-12345"),
        (("scan",), "no hosts are enrolled", "suture hosts add"),
        (("scan", "local", "--fail-on", "huge"), "expected one of any", "--help"),
        (("findings", "--policy", "/nowhere"), "no policy file /nowhere", "suture policy example"),
        (("plan", "show", "latest"), "no plan 'latest'", "suture plan create"),
        (("rollout", "start", "latest"), "no plan 'latest'", "suture plan create"),
        (("rollout", "status"), "no rollout 'latest'", "suture rollout start"),
        (("rollout", "pause", "r9"), "no rollout 'r9'", "suture rollout list"),
        (("verify",), "no rollout 'latest'", "suture rollout start"),
        (("rollback", "latest"), "no rollout 'latest'", "suture rollout start"),
        (("evidence", "export", "latest"), "no rollout 'latest'", "suture rollout start"),
    ],
)
def test_usage_errors_end_with_2_and_a_remedy(
    suture: Run, arguments: tuple[str, ...], said: str, remedy: str
) -> None:
    code, out, err = suture(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert remedy in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "garbage", [b"\xff\xfe", b"\x00", b"[", b"- {", b"a: &a [*a]", b"", b"\x1b[2Jx"]
)
def test_garbage_on_standard_input_is_an_error_of_its_own(suture: Run, garbage: bytes) -> None:
    code, out, err = suture("hosts", "import", "-", stdin=garbage)
    assert (code, out) == (2, "")
    assert "standard input" in err
    assert "\x1b[2J" not in err
    assert "Traceback" not in err


def test_a_policy_error_names_file_line_and_key(suture: Run, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("rings:\n  - name: a\n    soak: 5 furlongs\n")
    code, _, err = suture("policy", "check", str(path))
    assert code == 2
    assert "mine.yaml:3: rings[0].soak" in err.replace("\n", "")


def test_unbuffered_output_that_is_cut_short_is_no_answer(suture: Run, tmp_path: Path) -> None:
    inventory = "[web]\nweb[001:400]\n"
    assert suture("hosts", "import", "-", stdin=inventory.encode())[0] == 0
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from suture.cli.main import main; main()",
            "hosts",
            "list",
            "--json",
        ],
        env=os.environ
        | {
            "SUTURE_HOME": str(tmp_path),
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.read(10)
        running.stdout.close()
        assert running.wait() == 141


@pytest.mark.parametrize(("to", "code"), [("/dev/full", 2), ("a closed pipe", 141)])
def test_output_that_cannot_be_written_is_no_answer(
    suture: Run, tmp_path: Path, to: str, code: int
) -> None:
    if to == "/dev/full":
        out = os.open(to, os.O_WRONLY)
    else:
        nobody, out = os.pipe()
        os.close(nobody)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, "policy", "example"],
        env=os.environ | {"SUTURE_HOME": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(out)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)


def test_a_defect_is_no_answer(suture: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(fleet, "listing", broken)
    code, _, err = suture("hosts", "list")
    assert (code, "ZeroDivisionError" in err) == (70, True)


def test_a_damaged_database_is_said(suture: Run, tmp_path: Path) -> None:
    (tmp_path / "suture.sqlite").write_bytes(b"not a database" * 100)
    code, _, err = suture("hosts", "list")
    assert code == 2
    assert "Traceback" not in err


def test_listings_are_tables_or_json(enrolled: Run) -> None:
    assert "web2" in enrolled("hosts", "list")[1]
    found = json.loads(enrolled("hosts", "list", "--json")[1])["hosts"]
    assert [one["host"]["name"] for one in found] == ["web1", "web2"]
    assert [one["host"]["service"] for one in found] == ["shop", "shop"]
    for command in (("plan", "list"), ("rollout", "list")):
        assert json.loads(enrolled(*command, "--json")[1])
        assert enrolled(*command)[0] == 0


def test_a_whole_record_is_proved(enrolled: Run) -> None:
    code, out, _ = enrolled("evidence", "verify", "--json")
    assert (code, json.loads(out)["altered"]) == (0, [])


def test_hosts_never_scanned_are_unknown_and_not_clean(enrolled: Run) -> None:
    assert "Never scanned, so unknown: web1, web2" in enrolled("findings")[1]
    assert json.loads(enrolled("findings", "--json")[1])["never_seen"] == ["web1", "web2"]


def test_an_unreachable_host_ends_a_scan_with_3(suture: Run) -> None:
    code, out, _ = suture("scan", "127.0.0.1:1", "--json")
    assert code == 3
    assert json.loads(out)["failed"][0]["kind"] == "unreachable"


def test_hostile_names_of_a_host_stay_text(enrolled: Run) -> None:
    package = builders.package("nginx", "1\x1b[2J[red]")
    with fleet.opened(enrolled.place) as store, store.begin() as connection:
        seen = builders.inventory("web1", [package], notes=("\x1b]0;owned\x07[bold]",))
        inventories.record(connection, seen)
    for command in (("hosts", "show", "web1"), ("findings", "--all"), ("plan", "create")):
        _, out, err = enrolled(*command, FORCE_COLOR="1")
        assert "\x1b[2J" not in out + err
        assert "\x1b]0" not in out + err
        assert "\x07" not in out + err


def test_a_rollout_waits_for_approval_and_is_aborted(planned: Run) -> None:
    assert planned("rollout", "start", "latest", "--detach")[0] == 0
    code, _, err = planned("rollout", "start", "latest", "--detach")
    assert (code, "go on with it: suture rollout watch" in " ".join(err.split())) == (2, True)
    code, out, _ = planned("rollout", "status")
    assert (code, "suture rollout approve" in out) == (0, True)
    assert "waits for approval" in out
    code, out, _ = planned("rollout", "watch", "latest", "--json")
    assert code == 4
    assert json.loads(out)["rollout"]["state"]["status"] == "running"
    assert planned("rollout", "pause", "latest")[0] == 0
    code, _, err = planned("rollout", "pause", "latest")
    assert (code, "paused already" in err) == (2, True)
    code, out, _ = planned("rollout", "watch", "latest")
    assert (code, "suture rollout resume" in out) == (4, True)
    code, out, _ = planned("rollout", "abort", "latest", "--reason", "wrong day", "--json")
    assert code == 0
    assert json.loads(out)["rollout"]["state"]["reason"] == "wrong day"
    code, _, err = planned("rollout", "resume", "latest")
    assert (code, "the rollout is aborted" in err) == (2, True)


def test_a_rollout_outside_of_its_window_is_started_and_waits(planned: Run) -> None:
    far = (datetime.now(UTC) + timedelta(days=40)).date()
    window = Window(name="far", rule="FREQ=YEARLY", start="12:00", duration="1h", since=far)
    plan = builders.timed(builders.plan([builders.wave(0, ["web1"])]), [window])
    with fleet.opened(planned.place) as store:
        plans.save(store, plan, "kim")
    code, out, _ = planned("rollout", "start", plan.id, "--without-rehearsal", "--detach")
    assert (code, f"wait for window far at {far} 12:00 UTC" in out) == (0, True)
    assert f"{far} 12:00 UTC" in planned("rollout", "status", "latest")[1]
    assert planned("rollout", "abort", "latest")[0] == 0


def test_a_rehearsal_that_the_log_does_not_know_is_told(planned: Run) -> None:
    code, out, _ = planned("evidence", "verify")
    assert (code, "Altered or missing: rehearsal" in out) == (1, True)


def test_a_plan_that_was_not_rehearsed_needs_to_be_insisted_on(planned: Run) -> None:
    later = NOW + timedelta(hours=1)
    other = builders.plan([builders.wave(0, ["web1"])], created_at=later)
    with fleet.opened(planned.place) as store:
        plans.save(store, builders.with_host(other, "web1", class_id="another"), "kim")
    code, _, err = planned("rollout", "start", "latest")
    assert (code, "--without-rehearsal" in err) == (2, True)
    assert planned("rollout", "start", "latest", "--without-rehearsal", "--detach")[0] == 0
    assert "without a passed rehearsal" in planned("rollout", "status")[1]


def test_changing_a_host_changes_what_is_given_and_says_so(suture: Run, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.touch()
    add = ("hosts", "add", "ops@192.0.2.1:2222", "--name", "web1")
    assert suture(*add, "-i", str(key), "-l", "web", "--criticality", "high")[0] == 0
    code, out, _ = suture(*add, "--ring", "canary", "-l", "web", "-l", "shop")
    assert (code, "1 changed" in out) == (0, True)
    assert "web1: labels web → web shop, ring none → canary" in out
    assert "unchanged" in suture(*add)[1]
    code, out, _ = suture("hosts", "add", "192.0.2.1", "--name", "web1", "--ring", "", "-l", "")
    assert "port 2222 → 22, user ops → root, labels web shop → none, ring canary → none" in out
    host = json.loads(suture("hosts", "show", "web1", "--json")[1])["host"]
    assert (host["key"], host["criticality"]) == (str(key), "high")


def test_an_unknown_label_is_told_from_an_empty_fleet(enrolled: Run) -> None:
    code, _, said = enrolled("findings", "--label", "nobody")
    assert code == 2
    assert "no enrolled host has the labels nobody" in said
    assert "suture hosts list" in said
    code, out, _ = enrolled("hosts", "list", "--label", "nobody")
    assert (code, out) == (0, "No host has the labels nobody.\n")


def test_bundles_of_hosts_that_do_not_answer_are_not_said_to_be_none(suture: Run) -> None:
    assert suture("hosts", "add", "127.0.0.1:9", "--name", "web1")[0] == 0
    code, out, _ = suture("backups", "list")
    assert code == 3
    assert "No return bundles" not in out


def test_plans_are_listed_in_numbers(planned: Run) -> None:
    (one,) = json.loads(planned("plan", "list", "--json")[1])["plans"]
    plan = plans.load(planned.place, one["id"])
    assert plan == plans.load(planned.place, "latest")
    assert (one["hosts"], one["packages"]) == (2, sum(len(host.changes) for host in plan.hosts))
    assert (one["cves"], one["left_out"], one["parent"]) == (len(plan.hosts[0].closes), 0, None)


def test_a_plan_shows_what_its_rehearsal_did(planned: Run) -> None:
    plan = plans.load(planned.place, "latest")
    note = Check("restarted nginx.service", Verdict.PASS)
    why = Check("reboot", Verdict.PASS, "dbus.service still runs replaced code; new boot id 1")
    _rehearsed(
        planned,
        plan,
        plan.hosts[0].class_id,
        StepReport("web1", Step.RESTART, Verdict.PASS, NOW, 1.0, checks=(note,)),
        StepReport("web1", Step.REBOOT, Verdict.PASS, NOW, 1.0, changed_host=True, checks=(why,)),
    )
    said = " ".join(planned("plan", "show", "latest")[1].split())
    assert (
        "as rehearsed: restarted nginx.service · "
        "rebooted (dbus.service still runs replaced code)" in said
    )


@pytest.mark.parametrize("option", ["--at", "--as-known-at"])
@pytest.mark.parametrize("form", [(), ("--overview",)])
def test_what_is_open_on_a_day_to_come_is_not_told(
    enrolled: Run, option: str, form: tuple[str, ...]
) -> None:
    today = datetime.now(UTC).date()
    code, _, said = enrolled("findings", option, str(today + timedelta(days=1)), *form)
    assert code == 2
    assert f"{option}" in said
    assert "is in the future; give a day up to today's" in " ".join(said.replace("│", " ").split())
    assert enrolled("findings", option, str(today), *form)[0] != 2


def test_two_names_of_one_address_are_told(suture: Run) -> None:
    assert suture("hosts", "add", "root@web.example.com", "--name", "a")[2] == ""
    assert suture("hosts", "add", "root@web.example.com:2222", "--name", "b")[2] == ""
    jump = ("--jump", "ops@bastion")
    assert suture("hosts", "add", "root@web.example.com", "--name", "c", *jump)[2] == ""
    code, _, said = suture("hosts", "add", "ops@Web.example.com", "--name", "d")
    assert code == 0
    assert "warning: a, d: all at web.example.com:22" in said
    assert "suture hosts remove NAME" in said
    assert suture("hosts", "add", "root@db", "--name", "e")[2] == ""


def test_a_home_that_cannot_be_made_names_the_remedy(suture: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file", tmp_path / "file" / "below"):
        code, _, said = suture("--home", str(home), "hosts", "list")
        assert code == 2
        assert f"cannot make the directory {home}" in " ".join(said.split())
        assert "--home or SUTURE_HOME" in said


@pytest.mark.parametrize(
    ("closed", "code", "said"),
    [
        (">&-", 2, "suture: standard output is closed; nothing was done"),
        ("<&- >&- 2>&-", 2, ""),
        ("2>&-", 0, ""),
        ("<&-", 0, ""),
    ],
)
def test_a_closed_stream_is_no_place_for_files(
    tmp_path: Path, closed: str, code: int, said: str
) -> None:
    script = f'"$0" -c "$1" --home "$2" hosts list {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", script, sys.executable, COMMAND, str(tmp_path / "home")],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.returncode, done.stderr.partition("\n")[0]) == (code, said)
    assert (tmp_path / "home").exists() is (code == 0)
