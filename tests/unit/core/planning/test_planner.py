"""Plans from small fleets: who is in, who is out and why."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from suture.core.assessment.findings import Finding, FindingState
from suture.core.controls import Control, Mask
from suture.core.documents import decode, encode
from suture.core.inventory import Host, Inventory, PackageState, StaleProcess
from suture.core.planning.gates import Canary, Gate, Source
from suture.core.planning.hooks import HookPhase, HookPolicy
from suture.core.planning.host_plans import CONTROL_S, Closing
from suture.core.planning.lint import has_errors, lint
from suture.core.planning.plan import HeldBack, LeftOut, Plan, ServiceLimit
from suture.core.planning.planner import make_plan
from suture.core.policies.gates import GatePolicy
from suture.core.policy import Concurrency, OnFailure, Policy, RingPolicy
from suture.core.selection.ledger import Ledger, Selection
from tests.unit.core.builders import (
    NOW,
    change,
    host,
    inventory,
    nothing_selected,
    package,
    selection,
)


def planned(
    hosts: Sequence[Host],
    inventories: Sequence[Inventory] | None = None,
    selections: dict[str, Selection] | None = None,
    **fields: Any,
) -> Plan:
    seen = [inventory(h.name) for h in hosts] if inventories is None else inventories
    chosen = {h.name: selection(change()) for h in hosts} if selections is None else selections
    defaults: dict[str, Any] = {"findings": {}, "policy": Policy(), "now": NOW}
    return make_plan(
        hosts=hosts,
        inventories={i.host: i for i in seen},
        selections=chosen,
        **defaults | fields,
    )


def why(plan: Plan) -> str:
    (only,) = plan.left_out
    return only.reason


def test_a_plan_says_what_happens_on_a_host() -> None:
    chosen = selection(change(size=5_000_000), change("libssl3", source="openssl"))
    made = planned([host("a", service="web", jump="ops@j")], selections={"a": chosen})
    (only,) = made.hosts
    assert (only.host, only.ring, only.service, only.jump) == ("a", "canary", "web", "ops@j")
    assert only.changes == chosen.changes
    assert only.download_bytes == 5_001_000
    assert only.estimated_s == pytest.approx(5_001_000 / 17e6 + 2 * 0.84, abs=0.1)
    assert only.closes == ("CVE-2026-0001",)
    assert made.waves[0].hosts == ("a",)
    assert made.services == (ServiceLimit("web", ("a",), 1),)
    assert made.jump_limits == (("ops@j", Concurrency().per_jump),)
    assert made.rollback_on_failure
    assert made.starts_per_minute is UNSET


def test_a_rate_of_starts_is_part_of_the_plan() -> None:
    paced = planned([host("a")], policy=Policy(concurrency=Concurrency(starts_per_minute=30)))
    assert paced.starts_per_minute == 30


def test_packages_are_fetched_ahead_where_the_policy_says_so() -> None:
    assert planned([host("a")]).predownload_s is UNSET
    assert planned([host("a")], policy=Policy(predownload="6h")).predownload_s == 6 * 3600


def test_each_control_takes_its_time() -> None:
    masks = [
        Control(id=f"no-{n}", title="t", reason="r", mask=Mask(f"u{n}.service")) for n in range(3)
    ]
    without, with_controls = (
        planned([host("a")], controls=controls).hosts[0].estimated_s for controls in ((), masks)
    )
    assert with_controls == pytest.approx(without + 3 * CONTROL_S)


def test_the_same_input_gives_the_same_plan() -> None:
    hosts = [host(f"h{n}") for n in range(5)]
    assert planned(hosts).id == planned(list(reversed(hosts))).id
    made = planned(hosts)
    assert decode(encode(made), Plan) == made


def test_a_plan_remembers_its_parent_and_what_is_held_back() -> None:
    held = HeldBack("nginx", "1.22.1-9+deb12u9", "broke its service")
    policy = Policy(on_failure=OnFailure.PAUSE)
    made = planned([host("a")], parent="abc", held_back=[held], policy=policy)
    assert (made.parent, made.held_back) == ("abc", (held,))
    assert not made.rollback_on_failure
    assert {wave.on_failure for wave in made.waves} == {UNSET}


def test_hooks_go_to_the_hosts_that_they_are_for() -> None:
    hooks = (
        HookPolicy(on="web", when=HookPhase.DRAIN, command="lb drain"),
        HookPolicy(on="web", when=HookPhase.UNDRAIN, command="lb enable"),
    )
    made = planned([host("a", service="web"), host("b")], policy=Policy(hooks=hooks))
    assert [hook.command for hook in made.host("a").hooks] == ["lb drain", "lb enable"]
    assert b"hooks" not in encode(made.host("b"))


def test_every_wave_but_the_last_has_the_gate() -> None:
    gates = GatePolicy(canary=Source.PROC, min_effect="10%", every="1m")
    policy = Policy(gates=gates)
    made = planned([host(f"h{n}") for n in range(20)], policy=policy)
    expected = Gate(60.0, Canary(Source.PROC, 0.1))
    assert [wave.gate for wave in made.waves] == [expected, expected, UNSET]
    assert decode(encode(made), Plan) == made
    assert b"gate" not in encode(planned([host(f"h{n}") for n in range(20)]).waves)


def test_waits_and_reboot_budgets_are_those_of_the_ring() -> None:
    rings = (
        RingPolicy(name="canary", share=1, wait_between="5m", reboot_budget="20m"),
        RingPolicy(name="rest"),
    )
    made = planned([host(f"h{n}") for n in range(4)], policy=Policy(rings=rings))
    assert [wave.wait_s for wave in made.waves] == [300.0, UNSET]
    budgets = {one.ring: one.reboot_budget_s for one in made.hosts}
    assert budgets == {"canary": 1200.0, "rest": UNSET}


def test_a_wave_says_what_the_plan_as_a_whole_does_not() -> None:
    rings = (
        RingPolicy(name="canary", share=1, min_verified="90%"),
        RingPolicy(name="rest", on_failure=OnFailure.ROLL_BACK_ALL),
    )
    policy = Policy(rings=rings, on_failure=OnFailure.ROLL_BACK_WAVE)
    first, second = planned([host(f"h{n}") for n in range(4)], policy=policy).waves
    assert (first.on_failure, first.min_verified) == (OnFailure.ROLL_BACK_WAVE, 90)
    assert (second.on_failure, second.min_verified) == (OnFailure.ROLL_BACK_ALL, UNSET)
    usual = planned([host("a")]).waves[0]
    assert not {b"on_failure", b"min_verified"} & set(encode(usual).replace(b'"', b" ").split())


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"package_manager": "dnf"}, "package manager dnf is not supported; only apt is"),
        (
            {"collected_at": NOW - timedelta(hours=30)},
            "last seen 30 h ago, 24h may be; run `suture scan`",
        ),
        ({"indexes_age_s": None}, "it has no package lists; run `apt-get update` there"),
        ({"indexes_age_s": 10 * 86400.0}, "its package lists are 10 days old, 7d may be"),
        (
            {"packages": (package(state=PackageState.HALF_CONFIGURED),)},
            "packages are broken (nginx half-configured); run `dpkg --configure -a` there",
        ),
    ],
)
def test_a_host_that_cannot_be_judged_is_left_out(fields: dict[str, Any], reason: str) -> None:
    packages = fields.pop("packages", ())
    made = planned([host("a")], [inventory("a", packages, **fields)])
    assert reason in why(made)
    assert (made.hosts, made.waves) == ((), ())


def test_a_host_with_nothing_to_do_says_what_became_of_its_updates() -> None:
    made = planned([host("a")], selections={"a": nothing_selected()})
    assert why(made) == "nothing to do: 1 available, 1 not-security"
    stale = (StaleProcess(1, "nginx", "nginx.service", "/lib/libssl.so.3"),)
    made = planned([host("a")], [inventory("a", stale=stale)], {"a": Selection((), Ledger(0, ()))})
    assert why(made) == (
        "nothing to do: no update is available; nginx.service still run replaced files"
    )


def test_unknown_hosts_are_out_of_their_service() -> None:
    hosts = [host("a"), host("b"), host("c")]
    left = [LeftOut("b", "unreachable"), LeftOut("c", "excluded by label")]
    made = planned(hosts, [inventory("c")], {}, left_out=left)
    assert made.left_out == (
        LeftOut("a", "never seen; run `suture scan`", unknown=True),
        LeftOut("b", "unreachable", unknown=True),
        LeftOut("c", "excluded by label", unknown=False),
    )


def test_a_host_that_was_not_assessed_or_has_no_ring_is_left_out() -> None:
    assert why(planned([host("a")], selections={})) == "not assessed; run `suture scan`"
    assert "has no ring `beta`" in why(planned([host("a", ring="beta")]))
    policy = Policy(rings=(RingPolicy(name="web", hosts=("web",)),))
    assert "no ring takes it" in why(planned([host("a")], policy=policy))


def finding(cve: str, source: str, fixed: str | None) -> Finding:
    return Finding(cve, "a", source, (source,), source, "1.0", fixed, FindingState.FIXABLE)


def test_closed_are_the_findings_whose_source_reaches_the_fix() -> None:
    changes = [change("nginx", source_version="1.5", cves=("CVE-1",))]
    findings = [
        finding("CVE-2", "nginx", "1.4"),
        finding("CVE-3", "nginx", "1.5"),
        finding("CVE-4", "nginx", "1.6"),
        finding("CVE-5", "nginx", None),
        finding("CVE-6", "curl", "1.0"),
        finding("CVE-7", "nginx", "no version"),
    ]
    assert Closing.of(changes).cves(findings) == ("CVE-1", "CVE-2", "CVE-3")


fleets = st.lists(
    st.tuples(
        st.integers(0, 99),
        st.sampled_from([None, "web", "db"]),
        st.sampled_from([None, "early"]),
        st.sampled_from(["fine", "unseen", "nothing", "old"]),
    ),
    unique_by=lambda row: row[0],
    max_size=25,
)


@given(fleets)
def test_every_host_is_planned_or_left_out_and_the_plan_has_no_errors(
    rows: list[tuple[int, str | None, str | None, str]],
) -> None:
    hosts = [host(f"h{n}", service=service, ring=ring) for n, service, ring, _ in rows]
    kind = {f"h{n}": k for n, _, _, k in rows}
    seen = [
        inventory(name, collected_at=NOW - timedelta(days=9 if k == "old" else 0))
        for name, k in kind.items()
        if k != "unseen"
    ]
    chosen = {
        name: nothing_selected() if k == "nothing" else selection(change())
        for name, k in kind.items()
    }
    made = planned(hosts, seen, chosen)
    assert {h.host for h in made.hosts} == {name for name, k in kind.items() if k == "fine"}
    assert {entry.host for entry in made.left_out} == {n for n, k in kind.items() if k != "fine"}
    assert not has_errors(lint(made))
