"""``suture rollback`` and ``suture backups`` up to the hosts, whose answers are the test's own."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from suture.core.documents import digest
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase
from suture.core.rollout.ways_back import Refusal, WayBack
from suture.engine import records, ticks
from suture.engine.work import HostWork
from suture.hosts.rollback import Preview, Refused, Restored
from suture.hosts.session import PatchSession
from suture.services import fleet, plans, rollbacks
from suture.services.snapshot_hook import CHECK
from suture.store import rollouts
from tests.command import Run
from tests.unit.core import builders
from tests.unit.core.builders import NOW

INVENTORY = "[web]\nweb1 ansible_port=1\nweb2 ansible_port=1\n[web:vars]\nansible_host=127.0.0.1\n"
HOOK = """\
backup:
  snapshot_hooks:
    - {on: "*", command: echo a, restore: "true"}
"""


@pytest.fixture
def suture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    monkeypatch.setattr(rollbacks, "ASKING_S", 0.1)
    run = Run(tmp_path, monkeypatch, capsys)
    assert run("hosts", "import", "-", stdin=INVENTORY.encode())[0] == 0
    return run


def rolled_out(run: Run, rollout: str = "r1", minutes: int = 0, **change: Any) -> Plan:
    """Both hosts are patched, canary first, and the rollout is over."""
    now = NOW + timedelta(minutes=minutes)
    waves = [builders.wave(0, ["web1"], ring="canary", soak_s=0.0), builders.wave(1, ["web2"])]
    plan = builders.plan(waves)
    changes = (builders.change(**change),)
    fields = {"ledger": builders.ledger(changes), "patch_set": digest(changes)}
    hosts = tuple(replace(h, changes=changes, **fields) for h in plan.hosts)
    plan = replace(plan, hosts=hosts, created_at=now)
    with fleet.opened(run.place) as store:
        plans.save(store, plan, "kim")
        ticks.start_rollout(store, plan, rollout, actor="kim", without_rehearsal=True, now=now)
        for host in ("web1", "web2"):
            ticks.tick(store, plan, rollout, now)
            with store.begin() as connection:
                work = HostWork(rollout, host, 0, way_back=False)
                records.finish_host(connection, work, HostPhase.DONE, "", now)
        assert ticks.tick(store, plan, rollout, now).rollout.is_over
    return plan


def answers(monkeypatch: pytest.MonkeyPatch, **refusals: Refused) -> None:
    """What each host says to a preview: fine, unless a refusal is given."""

    async def preview(session: PatchSession) -> Preview:
        packages = tuple(Restored(c.key, c.after, c.before) for c in session.plan.changes)
        refused = (refusals[session.host],) if session.host in refusals else ()
        return Preview(session.host, NOW, packages, ("/etc/x",), refusals=refused)

    monkeypatch.setattr(rollbacks, "preview", preview)


def asked(run: Run) -> list[str]:
    with fleet.opened(run.place) as store, store.read() as connection:
        (found, *_) = rollouts.listing(connection)
    return [one.host for one in found.state.asked]


def test_what_would_go_back_is_shown_and_nothing_done(
    suture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_out(suture)
    answers(monkeypatch)
    code, out, _ = suture("rollback", "latest", "--dry-run")
    assert code == 0
    for word in ("web1", "nginx:amd64", "1.22.1-9+deb12u1", "2 of 2 hosts", "put back: /etc/x"):
        assert word in out
    code, out, _ = suture("rollback", "r1", "--dry-run", "--json", "--ring", "canary")
    assert [host["host"] for host in json.loads(out)["hosts"]] == ["web1"]
    assert asked(suture) == []


def test_hosts_waves_and_rings_narrow_each_other_down(
    suture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_out(suture)
    answers(monkeypatch)
    for options in (
        ("--ring", "ring-1", "--host", "web2"),
        ("--wave", "2", "--ring", "ring-1"),
        ("--wave", "2", "--wave", "1", "--host", "web2"),
    ):
        out = suture("rollback", "r1", "--dry-run", "--json", *options)[1]
        assert [host["host"] for host in json.loads(out)["hosts"]] == ["web2"], options
    code, _, err = suture("rollback", "r1", "--dry-run", "--wave", "1", "--ring", "ring-1")
    assert (code, "no host is there to be taken back" in err) == (2, True)


def test_without_a_terminal_a_yes_is_needed(suture: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    rolled_out(suture)
    answers(monkeypatch)
    code, _, err = suture("rollback", "latest")
    assert (code, "Add --yes" in err, asked(suture)) == (2, True, [])


def test_hosts_on_their_way_back_are_said_to_be_and_how_to_go_on(
    suture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_out(suture)
    answers(monkeypatch)
    rollbacks.begin(suture.place, propose(suture, hosts=("web1",)), actor="kim", reason="")
    with fleet.opened(suture.place) as store:
        ticks.tick(store, ticks.load_plan(store, "r1"), "r1", NOW)
    code, _, err = suture("rollback", "latest", "--host", "web1", "--dry-run")
    assert (code, "1 rolling-back" in err) == (2, True)
    assert "suture rollout watch r1" in err


def test_hosts_that_refuse_stay_and_the_others_may_go(
    suture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_out(suture)
    answers(monkeypatch, web2=Refused(Refusal.DEPENDENTS, "module"))
    code, out, _ = suture("rollback", "latest", "--dry-run")
    assert (code, "web2 stays as it is: module; they came since" in out) == (1, True)
    proposal = propose(suture)
    assert proposal.ready == ("web1",)
    rollbacks.begin(suture.place, proposal, actor="kim", reason="slow")
    assert asked(suture) == ["web1"]


def propose(run: Run, *, how: WayBack | None = None, hosts: tuple[str, ...] = ()) -> Any:
    wish = rollbacks.Wish(hosts, how=how or WayBack())
    return asyncio.run(rollbacks.propose(run.place, "latest", wish))


def test_where_none_may_go_back_nothing_is_asked(suture: Run) -> None:
    rolled_out(suture)
    code, out, err = suture("rollback", "latest", "--yes")
    assert (code, "web1 stays as it is" in out) == (2, True)
    assert "no host can be taken back" in err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--host", "db9"), "db9 is not a host of rollout r1"),
        (("--wave", "3"), "has no wave or ring 3"),
        (("--ring", "broad"), "has no wave or ring broad"),
        (("--ring", "canary", "--host", "web2"), "web2: not in the waves that are named as well"),
        (("--wave", "1", "--host", "web2"), "web2: not in the waves that are named as well"),
        (("--package", "apache2"), "patched no apache2 there"),
        (("--snapshot", "--package", "nginx"), "drop --package"),
    ],
)
def test_what_the_rollout_has_not_is_named(
    suture: Run, options: tuple[str, ...], said: str
) -> None:
    rolled_out(suture)
    code, _, err = suture("rollback", "latest", *options, "--yes", COLUMNS="200")
    assert code == 2
    assert said in err


def test_the_later_rollout_of_the_same_package_is_named(
    suture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rolled_out(suture)
    rolled_out(suture, "r2", 5, before="1.22.1-9+deb12u1", after="1.22.1-9+deb12u2")
    answers(monkeypatch, web1=Refused(Refusal.CHANGED_PACKAGES, "nginx:amd64 is now u2"))
    out = suture("rollback", "r1", "--dry-run", "--host", "web1")[1]
    assert "rollout r2 did that: take that one back first" in " ".join(out.split())


def test_a_host_that_another_rollout_is_about_to_patch_stays(
    suture: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = rolled_out(suture)
    answers(monkeypatch)
    with fleet.opened(suture.place) as store:
        ticks.start_rollout(
            store, plan, "r3", actor="kim", without_rehearsal=True, now=NOW - timedelta(days=1)
        )
    out = suture("rollback", "r1", "--dry-run", "--host", "web2")[1]
    assert "it has a part in rollout r3" in out


def test_a_machine_that_is_out_of_reach_goes_back_to_its_snapshot(suture: Run) -> None:
    rolled_out(suture)
    suture.place.policy.write_text(HOOK)
    check = Check(CHECK, Verdict.PASS, "snap-7")
    report = StepReport("web1", Step.BUNDLE, Verdict.PASS, NOW, 1.0, checks=(check,))
    with fleet.opened(suture.place) as store, store.begin() as connection:
        rollouts.save_reports(connection, [("r1", 0, report)])
    seen = propose(suture, how=WayBack(snapshot=True), hosts=("web1",))
    assert [one.kind for one in seen.hosts[0].refusals] == [Refusal.DATA_LOSS]
    how = WayBack(snapshot=True, accept_data_loss=True)
    seen = propose(suture, how=how)
    assert (seen.ready, seen.machines) == (("web1",), (("web1", "snap-7"),))
    rollbacks.begin(suture.place, seen, actor="kim", reason="")
    with fleet.opened(suture.place) as store, store.read() as connection:
        (found,) = rollouts.listing(connection)
    assert found.state.asked[0].how == replace(how, machine_snapshot="snap-7")


def test_hosts_that_cannot_be_asked_about_their_bundles_are_said(suture: Run) -> None:
    for command in (("backups", "list"), ("backups", "prune")):
        code, out, _ = suture(*command, "web1")
        assert (code, "web1: " in out) == (3, True)
        code, out, _ = suture(*command, "--json")
        assert code == 3
        assert [host["failure"]["kind"] for host in json.loads(out)["hosts"]] == ["unreachable"] * 2
