"""Plans that people carry out: written out once they are sound, and proved on the hosts."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from suture.core.controls import Control, Sysctl
from suture.core.evidence import Verdict
from suture.core.inventory import PackageState
from suture.core.planning.plan import Plan
from suture.services import by_hand, fleet, plans
from suture.services.by_hand import Format
from suture.services.errors import NotFoundError, RefusedError
from suture.services.workspace import Workspace
from suture.store import events, hosts
from suture.store import plans as stored_plans
from tests.command import Run
from tests.unit.core import builders
from tests.unit.core.builders import host, inventory, package


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "work", f"sqlite:///{tmp_path}/suture.sqlite")


def kept(place: Workspace, *, enrolled: bool = True, **fields: Any) -> Plan:
    """A plan for one host, behind a port on which nothing listens."""
    whole = replace(builders.plan([builders.wave(0, ["web1"])]), **fields)
    with fleet.opened(place) as store, store.begin() as connection:
        stored_plans.save(connection, whole)
        if enrolled:
            hosts.save(connection, host("web1", address="127.0.0.1", port=1), builders.NOW)
    return whole


def told(place: Workspace, kind: str) -> list[dict[str, Any]]:
    with fleet.opened(place) as store, store.read() as connection:
        return [json.loads(one.data) for one in events.stream(connection) if one.kind == kind]


def test_a_plan_is_written_out_and_the_record_tells(place: Workspace, tmp_path: Path) -> None:
    plan = kept(place)
    book = by_hand.export(place, plan.id, Format.RUNBOOK, "kim")
    assert list(book) == [f"plan-{plan.id}.md"]
    files = by_hand.export(place, "latest", Format.ANSIBLE, "kim")
    assert [one["format"] for one in told(place, "plan.exported")] == ["runbook", "ansible"]
    folder = tmp_path / "deep" / "out"
    names = ("playbook.yml", "way-back.yml", "inventory.yml")
    assert by_hand.write(files, folder) == tuple(folder / name for name in names)
    assert yaml.safe_load((folder / "playbook.yml").read_text())[1]["hosts"] == "wave_1"
    with pytest.raises(RefusedError, match="is there already"):
        by_hand.write(files, folder)


def test_what_is_not_sound_is_not_written_out(place: Workspace) -> None:
    sound = builders.plan([builders.wave(0, ["web1"])])
    broken = kept(place, hosts=(replace(sound.hosts[0], patch_set="0" * 64),))
    with pytest.raises(RefusedError, match="does not pass lint"):
        by_hand.export(place, broken.id, Format.RUNBOOK, "kim")


def test_ansible_needs_hosts_that_are_enrolled(place: Workspace) -> None:
    plan = kept(place, enrolled=False)
    with pytest.raises(RefusedError, match="web1 is not enrolled any more"):
        by_hand.export(place, plan.id, Format.ANSIBLE, "kim")


def test_what_a_playbook_cannot_do_is_not_left_out_silently(place: Workspace) -> None:
    control = Control(
        id="no-bpf",
        title="No BPF for users",
        reason="until the patch",
        sysctl=Sysctl("kernel.unprivileged_bpf_disabled", "2"),
    )
    plan = kept(place, hosts=(builders.host_plan("web1", ring="ring-0", controls=(control,)),))
    with pytest.raises(RefusedError, match="leaves out the control no-bpf on web1"):
        by_hand.export(place, plan.id, Format.ANSIBLE, "kim")
    (text,) = by_hand.export(place, plan.id, Format.RUNBOOK, "kim").values()
    assert "At its place: the control no\\-bpf" in text


def test_a_host_that_cannot_be_asked_is_not_well(place: Workspace) -> None:
    plan = kept(place)
    (proof,) = asyncio.run(by_hand.verify(place, plan.id, (), actor="kim"))
    assert (proof.verdict, proof.closed) == (Verdict.INCONCLUSIVE, ())
    (event,) = told(place, "plan.verified")
    assert (event["done"], event["verdict"]) == ("by hand", "inconclusive")
    with pytest.raises(NotFoundError, match="db9 is not a host of plan"):
        asyncio.run(by_hand.verify(place, plan.id, ("db9",), actor="kim"))


@pytest.mark.parametrize(
    ("there", "verdict", "detail"),
    [
        (package("nginx", "1.22.1-9+deb12u1"), Verdict.PASS, "the 1 planned versions"),
        (package("nginx", "1.22.1-9"), Verdict.FAIL, "is 1.22.1-9, not 1.22.1-9+deb12u1"),
        (package("nginx", "1.22.1-9+deb12u2"), Verdict.FAIL, "is 1.22.1-9+deb12u2, not"),
        (package("curl"), Verdict.FAIL, "nginx:amd64 is not installed"),
        (
            package("nginx", "1.22.1-9+deb12u1", state=PackageState.HALF_CONFIGURED),
            Verdict.FAIL,
            "nginx:amd64 is not installed",
        ),
    ],
)
def test_the_very_versions_of_the_plan_have_to_be_there(
    there: Any, verdict: Verdict, detail: str
) -> None:
    found = by_hand.installed(builders.host_plan("web1"), inventory("web1", [there]))
    assert found.verdict is verdict
    assert detail in found.detail


def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suture = Run(tmp_path, monkeypatch, capsys)
    plan = kept(suture.place)
    code, out, _ = suture("plan", "export", "latest")
    assert (code, f"# Plan {plan.id}" in out) == (0, True)
    code, out, err = suture("plan", "export", "latest", "--format", "ansible")
    assert (code, "--output DIR" in err) == (2, True)
    code, _, err = suture("plan", "export", "latest", "--format", "word")
    assert (code, "no format 'word'" in err) == (2, True)
    folder = tmp_path / "out"
    code, out, _ = suture("plan", "export", plan.id, "--format", "ansible", "--output", str(folder))
    assert (code, sorted(path.name for path in folder.iterdir())) == (
        0,
        ["inventory.yml", "playbook.yml", "way-back.yml"],
    )
    assert plans.load(suture.place, "latest") == plan
    code, out, _ = suture("verify", "--plan", "latest")
    assert (code, "inconclusive" in out) == (3, True)
