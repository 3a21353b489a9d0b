"""What passed is not repeated; what a changed input made stale counts no more."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from suture.core.documents import digest, encode
from suture.core.evidence import Verdict
from suture.core.planning.plan import HostPlan, Plan, RebootRule
from suture.core.policies.rehearsing import RehearsalPolicy
from suture.core.policies.suites import SuiteKind, SuitePolicy
from suture.core.policy import PerformancePolicy, Policy
from suture.services import fleet, plans, rehearsals, rollouts
from suture.services.errors import RefusedError
from suture.services.rehearsals import Standing
from suture.services.workspace import Workspace
from suture.store import hosts
from suture.store import plans as stored_plans
from suture.twin.rehearsal import Rehearsal
from tests.unit.core import builders

NOW = builders.NOW
DEFAULTS = Policy()


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    place = Workspace(tmp_path, f"sqlite:///{tmp_path}/store.sqlite")
    with fleet.opened(place) as store, store.begin() as connection:
        for name in ("web1", "web2"):
            hosts.save(connection, builders.host(name), NOW)
    return place


def _plan(place: Workspace, *members: HostPlan) -> Plan:
    plan = builders.plan(
        [builders.wave(0, [one.host for one in members], ring="canary")], hosts=members
    )
    with fleet.opened(place) as store:
        plans.save(store, plan, "kim")
    return plan


def _standing(place: Workspace, plan: Plan, policy: Policy = DEFAULTS) -> Standing:
    with fleet.opened(place) as store, store.read() as connection:
        (standing,) = rehearsals.standings(connection, plan, policy, NOW + timedelta(hours=3))
    return standing


def _rehearse(
    place: Workspace, plan: Plan, verdict: Verdict = Verdict.PASS, policy: Policy = DEFAULTS
) -> None:
    """As if the plan's first host had been on a twin."""
    standing = _standing(place, plan, policy)
    rehearsal = Rehearsal(
        plan.id, standing.class_id, standing.host, verdict, "", NOW, 60.0, inputs=standing.inputs
    )
    _keep(place, plan, verdict, encode(rehearsal))


def _keep(place: Workspace, plan: Plan, verdict: Verdict, document: bytes) -> None:
    with fleet.opened(place) as store, store.begin() as connection:
        stored_plans.save_rehearsal(
            connection,
            plan=plan.id,
            class_id=plan.hosts[0].class_id,
            verdict=verdict,
            ended_at=NOW,
            document=document,
        )


def test_what_was_never_rehearsed_has_not_passed(place: Workspace) -> None:
    standing = _standing(place, _plan(place, builders.host_plan("web1")))
    assert (standing.verdict, standing.stale, standing.passed) == (None, "", False)


def test_a_pass_counts_for_hosts_alike_under_another_plan(place: Workspace) -> None:
    _rehearse(place, _plan(place, builders.host_plan("web1")))
    plan = _plan(place, builders.host_plan("web1"), builders.host_plan("web2"))
    standing = _standing(place, plan)
    assert (standing.passed, standing.hosts, standing.ended_at) == (True, 2, NOW)


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INCONCLUSIVE])
def test_the_newest_of_the_same_inputs_decides(place: Workspace, verdict: Verdict) -> None:
    plan = _plan(place, builders.host_plan("web1"))
    _rehearse(place, plan)
    _rehearse(place, plan, verdict)
    assert (_standing(place, plan).verdict, _standing(place, plan).passed) == (verdict, False)


def test_what_changed_is_named_and_an_older_pass_of_the_same_counts_again(
    place: Workspace,
) -> None:
    plan = _plan(place, builders.host_plan("web1"))
    loaded = Policy(performance=PerformancePolicy(load="checks"))
    _rehearse(place, plan)
    assert _standing(place, plan, loaded).stale == "the load (performance) changed"
    _rehearse(place, plan, Verdict.FAIL, loaded)
    assert _standing(place, plan).passed


def test_another_content_of_a_suite_makes_a_pass_stale(place: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("port: {}")
    suite = SuitePolicy(name="web", on="web*", kind=SuiteKind.GOSS, path=str(file))
    plan, policy = _plan(place, builders.host_plan("web1")), Policy(suites=(suite,))
    _rehearse(place, plan)
    assert _standing(place, plan, policy).stale == "the test suites changed"
    _rehearse(place, plan, policy=policy)
    assert _standing(place, plan, policy).passed
    file.write_text("port: {tcp:80: {listening: true}}")
    assert _standing(place, plan, policy).stale == "the test suites changed"


def test_a_host_that_changed_its_class_is_told_why(place: Workspace) -> None:
    _rehearse(place, _plan(place, builders.host_plan("web1")))
    changed = builders.host_plan(
        "web1", class_id="d", package_set=digest("others"), reboot=RebootRule.NEVER
    )
    standing = _standing(place, _plan(place, changed))
    assert standing.stale == "its packages and the rule for reboots changed"


def test_hosts_of_a_class_with_checks_of_their_own_have_a_twin_of_their_own(
    place: Workspace,
) -> None:
    plan = _plan(place, builders.host_plan("web1"), builders.host_plan("web2", checks=()))
    with fleet.opened(place) as store, store.read() as connection:
        found = rehearsals.standings(connection, plan, Policy(), NOW)
    assert [one.host for one in found] == ["web1", "web2"]


def test_a_pass_ages_where_the_policy_says_so(place: Workspace) -> None:
    plan = _plan(place, builders.host_plan("web1"))
    _rehearse(place, plan)
    assert _standing(place, plan, Policy(rehearsal=RehearsalPolicy(max_age="4h"))).passed
    standing = _standing(place, plan, Policy(rehearsal=RehearsalPolicy(max_age="2h")))
    assert "max_age" in standing.stale and not standing.passed


def test_a_rehearsal_of_an_older_version_is_stale(place: Workspace) -> None:
    plan = _plan(place, builders.host_plan("web1"))
    _keep(place, plan, Verdict.PASS, b'{"host":"web1","verdict":"pass"}')
    assert "older version" in _standing(place, plan).stale


def test_a_rollout_needs_a_pass_that_still_counts(place: Workspace) -> None:
    plan = _plan(place, builders.host_plan("web1"))

    def start() -> str:
        return rollouts.start(place, plan.id, actor="kim", without_rehearsal=False)[0]

    with pytest.raises(RefusedError, match=r"hosts like web1$"):
        start()
    _rehearse(place, plan)
    place.policy.write_text("performance: {load: checks}\n")
    with pytest.raises(RefusedError, match=r"web1 \(pass, stale: the load"):
        start()
    place.policy.unlink()
    assert start()
