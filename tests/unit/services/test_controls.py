"""Controls as files of the workspace, in plans, and in force."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.documents import encode
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase, HostState, RolloutState, RolloutStatus
from suture.core.selection.ledger import Reason
from suture.core.yaml_reading import DocumentError
from suture.services import controls, fleet, mitigating, plans
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, RefusedError, ServiceError
from suture.services.findings import fleet_findings
from suture.services.workspace import Workspace
from suture.store import changelogs, events, inventories, rollouts
from suture.store import plans as stored_plans
from suture.store.knowledge import StoredChangelog
from tests.unit.core.builders import host
from tests.unit.core.offers import offer, seen, update

TEXT = """# Reviewed by two.
id: no-cups
title: No printing
reason: until the patch
cves: [CVE-2026-0001]
when: {hosts: ["web-*"]}
mask: {unit: cups.service}
"""
CHANGELOG = """nginx (2) bookworm-security; urgency=high

  * Fix CVE-2026-0001.

 -- A <a@example.org>  Mon, 02 Mar 2026 12:00:00 +0000
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Two hosts that each have an update of nginx for CVE-2026-0001."""
    workspace = Workspace(tmp_path / "home", f"sqlite:///{tmp_path}/home/suture.sqlite")
    fleet.add(workspace, (host("web-1"), host("db")))
    with fleet.opened(workspace) as store, store.begin() as connection:
        for name in ("web-1", "db"):
            found = seen(update(offer("nginx")))
            inventories.record(connection, replace(found, host=name, collected_at=clock()))
        fixed = StoredChangelog("debian:12", "nginx", "2", "1", CHANGELOG)
        changelogs.save(connection, [fixed], clock())
    return workspace


def logged(workspace: Workspace) -> list[tuple[str, str, str]]:
    with fleet.opened(workspace) as store, store.read() as connection:
        every = list(events.stream(connection, subject="no-cups"))
    return [(one.kind, one.actor, one.data) for one in every]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "mine.yaml"
    file.write_text(TEXT)
    return file


def test_a_control_is_kept_as_it_was_written(workspace: Workspace, file: Path) -> None:
    assert controls.listing(workspace) == ()
    control, what = controls.add(workspace, file)
    assert (control.id, what) == ("no-cups", "added")
    assert (workspace.controls / "no-cups.yaml").read_text() == TEXT
    assert controls.add(workspace, file)[1] == "unchanged"
    file.write_text(TEXT.replace("printing", "paper"))
    assert controls.add(workspace, file)[1] == "changed"
    assert [one.control.title for one in controls.listing(workspace)] == ["No paper"]
    assert controls.get(workspace, "no-cups").in_force == ()
    assert controls.remove(workspace, "no-cups") == ()
    assert controls.listing(workspace) == ()


def test_who_changed_a_control_is_logged(workspace: Workspace, file: Path) -> None:
    control, _ = controls.add(workspace, file, actor="kim")
    controls.add(workspace, file, actor="lee")
    file.write_text(TEXT.replace("printing", "paper"))
    changed, _ = controls.add(workspace, file, actor="lee")
    controls.remove(workspace, "no-cups", actor="kim")
    assert logged(workspace) == [
        ("control.added", "kim", encode(control).decode()),
        ("control.changed", "lee", encode(changed).decode()),
        ("control.removed", "kim", "{}"),
    ]


def test_what_could_not_be_kept_is_not_logged(workspace: Workspace, file: Path) -> None:
    (workspace.controls / "no-cups.new").mkdir(parents=True)
    with pytest.raises(OSError):
        controls.add(workspace, file, actor="kim")
    assert logged(workspace) == []


def test_what_is_no_control_is_not_kept(workspace: Workspace, file: Path) -> None:
    file.write_text(TEXT.replace("cups.service", "ssh.service"))
    with pytest.raises(DocumentError, match=r"mine\.yaml:7"):
        controls.add(workspace, file)
    file.write_bytes(b"id: \xff")
    with pytest.raises(ServiceError, match="not UTF-8"):
        controls.add(workspace, file)
    with pytest.raises(NotFoundError, match="no file"):
        controls.add(workspace, file.parent / "none")
    assert controls.listing(workspace) == ()


@pytest.mark.parametrize("name", ["other", "../policy", "no-cups.yaml", ""])
def test_only_what_is_there_is_found(workspace: Workspace, file: Path, name: str) -> None:
    controls.add(workspace, file)
    with pytest.raises(NotFoundError, match="no control"):
        controls.get(workspace, name)
    with pytest.raises(NotFoundError, match="no control"):
        plan(workspace, name)


def test_a_file_under_another_name_is_refused(workspace: Workspace, file: Path) -> None:
    controls.add(workspace, file)
    (workspace.controls / "no-cups.yaml").rename(workspace.controls / "x.yaml")
    with pytest.raises(ServiceError, match="holds the control no-cups"):
        controls.listing(workspace)


def plan(workspace: Workspace, *ids: str, packages: bool = True, parent: str | None = None) -> Plan:
    return plans.create(workspace, control_ids=ids, packages=packages, parent=parent, actor="me")


def test_a_plan_takes_the_controls_that_were_chosen(workspace: Workspace, file: Path) -> None:
    control, _ = controls.add(workspace, file)
    made = plan(workspace, "no-cups")
    assert made.host("web-1").controls == (control,)
    assert made.host("db").controls == ()
    assert all(one.changes for one in made.hosts)
    controls.remove(workspace, "no-cups")
    assert plan(workspace, parent=made.id).host("web-1").controls == (control,)


def test_a_plan_of_controls_alone_accounts_for_every_update(
    workspace: Workspace, file: Path
) -> None:
    controls.add(workspace, file)
    made = plan(workspace, "no-cups", packages=False)
    (one,) = made.hosts
    assert one.changes == ()
    assert one.ledger.counts() == {Reason.EXCLUDED: 1}
    assert one.ledger.entries[0].detail == "the plan is of controls alone"
    assert one.ledger.reconciles


def test_a_control_that_goes_to_no_host_is_said(workspace: Workspace, file: Path) -> None:
    file.write_text(TEXT.replace("web-*", "mail-*"))
    controls.add(workspace, file)
    with pytest.raises(RefusedError, match=r"is for host mail-\* and goes to none"):
        plan(workspace, "no-cups")


class Rolled:
    """A rollout of a plan with the control, whose end a test decides."""

    def __init__(self, workspace: Workspace, file: Path) -> None:
        controls.add(workspace, file)
        self.workspace = workspace
        self.plan = plan(workspace, "no-cups", packages=False)
        state = RolloutState("r1", self.plan.id, RolloutStatus.RUNNING, ())
        with fleet.opened(workspace) as store, store.begin() as connection:
            assert stored_plans.get(connection, self.plan.id) == self.plan
            rollouts.create(connection, state, actor="me", without_rehearsal=True, now=clock())

    def ended(self, phase: HostPhase) -> None:
        hosts = (HostState("web-1", phase, since=clock() - timedelta(days=1)),)
        state = RolloutState("r1", self.plan.id, RolloutStatus.DONE, hosts)
        with fleet.opened(self.workspace) as store:
            mitigating.record_rollout(store, self.plan, state, clock())

    def checked(self, *checks: Check) -> None:
        report = StepReport("web-1", Step.VERIFY, Verdict.PASS, clock(), 1.0, checks=checks)
        with fleet.opened(self.workspace) as store:
            mitigating.record_checks(store, self.plan, "r1", [report], clock())

    @property
    def mitigated(self) -> list[str]:
        """The hosts where the finding says that it is mitigated; it is open on both."""
        found = fleet_findings(self.workspace).findings
        assert {one.host for one in found if one.cve == "CVE-2026-0001"} == {"web-1", "db"}
        said = "mitigated by control no-cups since "
        return [one.host for one in found if any(said in reason for reason in one.reasons)]


@pytest.fixture
def rolled(workspace: Workspace, file: Path) -> Rolled:
    return Rolled(workspace, file)


def test_a_verified_control_mitigates_until_it_is_taken_back(rolled: Rolled) -> None:
    assert rolled.mitigated == []
    rolled.ended(HostPhase.SKIPPED)
    assert rolled.mitigated == []
    rolled.ended(HostPhase.DONE)
    assert rolled.mitigated == ["web-1"]
    assert fleet_findings(rolled.workspace).findings[0].host == "db"
    (one,) = controls.get(rolled.workspace, "no-cups").in_force
    assert one.host == "web-1"
    rolled.ended(HostPhase.ROLLING_BACK)
    assert rolled.mitigated == []


def test_a_control_that_is_found_undone_does_not_mitigate(rolled: Rolled) -> None:
    rolled.ended(HostPhase.DONE)
    rolled.checked()
    assert rolled.mitigated == ["web-1"]
    rolled.checked(Check("control no-cups", Verdict.FAIL, "cups.service is enabled"))
    assert rolled.mitigated == []
    rolled.ended(HostPhase.DONE)
    assert rolled.mitigated == []
    rolled.checked(Check("control no-cups", Verdict.PASS))
    assert rolled.mitigated == ["web-1"]


def test_removing_a_control_names_where_it_stays_in_force(rolled: Rolled) -> None:
    rolled.ended(HostPhase.DONE)
    assert [one.host for one in controls.remove(rolled.workspace, "no-cups")] == ["web-1"]
    assert rolled.mitigated == ["web-1"]
