"""When the way back was proved, and what a drill comes to."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.policies.rehearsing import DrillPolicy
from suture.core.policy import Policy
from suture.services import drilling, drills, fleet
from suture.services.drills import Proven, kind_of
from suture.services.errors import RefusedError
from suture.services.workspace import Workspace
from suture.store import drills as stored_drills
from suture.store import hosts, inventories
from suture.store.drills import StoredDrill
from tests.unit.core import builders

NOW = builders.NOW
MONTHLY = Policy(drill=DrillPolicy(every="30d"))
ALIKE = builders.inventory("web1")
OTHER = builders.inventory("db1", [builders.package("postgresql-15", "15.1-1")])


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    """web1 and web2 have the same packages, db1 has others; new1 was never scanned."""
    place = Workspace(tmp_path, f"sqlite:///{tmp_path}/store.sqlite")
    with fleet.opened(place) as store, store.begin() as connection:
        for name in ("web1", "web2", "db1", "new1"):
            hosts.save(connection, builders.host(name), NOW)
        for inventory in (ALIKE, builders.inventory("web2"), OTHER):
            inventories.record(connection, inventory)
    return place


def _drilled(place: Workspace, host: str, verdict: Verdict, at: datetime = NOW) -> None:
    kind = kind_of(OTHER if host == "db1" else ALIKE)
    with fleet.opened(place) as store, store.begin() as connection:
        stored_drills.save(connection, StoredDrill(host, kind, verdict, at, b"{}"))


def _standings(place: Workspace, policy: Policy = MONTHLY, days: int = 0) -> dict[str, Proven]:
    with fleet.opened(place) as store, store.read() as connection:
        found = drills.standings(connection, policy, NOW + timedelta(days=days))
    return {one.host: one for one in found}


def test_without_a_rule_nothing_is_overdue(place: Workspace) -> None:
    found = _standings(place, Policy())
    assert list(found) == ["db1", "web1", "web2"]
    assert not any(one.overdue for one in found.values())


def test_a_drill_counts_for_hosts_with_the_same_packages(place: Workspace) -> None:
    _drilled(place, "web1", Verdict.PASS)
    found = _standings(place, days=29)
    assert {name: one.overdue for name, one in found.items()} == {
        "db1": True,
        "web1": False,
        "web2": False,
    }
    assert (found["web2"].on, found["web2"].proved_at) == ("web1", NOW)
    assert _standings(place, days=31)["web2"].overdue


def test_only_a_pass_proves_the_way_back(place: Workspace) -> None:
    _drilled(place, "db1", Verdict.PASS)
    _drilled(place, "db1", Verdict.FAIL, NOW + timedelta(days=20))
    found = _standings(place, days=31)["db1"]
    assert (found.proved_at, found.verdict, found.overdue) == (NOW, Verdict.FAIL, True)


def _report(step: Step, verdict: Verdict = Verdict.PASS, reason: str = "") -> StepReport:
    return StepReport("web1", step, verdict, NOW, 1.0, reason)


@pytest.mark.parametrize(
    ("reports", "verdict", "said"),
    [
        ((), Verdict.INCONCLUSIVE, "not changed"),
        ((_report(Step.ACQUIRE, Verdict.FAIL, "gone"),), Verdict.INCONCLUSIVE, "acquire: gone"),
        (
            (
                _report(Step.VERIFY, Verdict.FAIL, "broken by the patch"),
                _report(Step.ROLL_BACK),
                _report(Step.VERIFY_ROLL_BACK),
            ),
            Verdict.PASS,
            "",
        ),
        (
            (_report(Step.ROLL_BACK), _report(Step.VERIFY_ROLL_BACK, Verdict.FAIL, "differs")),
            Verdict.FAIL,
            "verify-roll-back: differs",
        ),
    ],
)
def test_the_verdict_is_on_the_way_back_alone(
    reports: tuple[StepReport, ...], verdict: Verdict, said: str
) -> None:
    found, reason = drilling.judge(reports)
    assert found is verdict
    assert said in reason and bool(reason) == bool(said)


def _drill(place: Workspace, *names: str, **fields: Any) -> drilling.Drills:
    nothing: dict[str, Any] = {"on_stage": lambda *_: None, "on_report": lambda *_: None}
    defaults = {"due": False, "policy_file": None, "actor": "kim"}
    return drilling.drill(place, names, **nothing | defaults | fields)


def test_what_cannot_be_drilled_is_refused_or_said(place: Workspace) -> None:
    with pytest.raises(RefusedError, match="new1"):
        _drill(place, "new1")
    with pytest.raises(RefusedError, match="how often"):
        _drill(place, due=True)
    assert _drill(place).nothing == ("db1", "web1")
    place.policy.write_text("drill: {every: 30d}\n")
    assert _drill(place, due=True).nothing == ("db1", "web1")
