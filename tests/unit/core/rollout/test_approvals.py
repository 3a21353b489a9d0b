"""Approvals by role and count: whose count, for how long, and what is still missing."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.planning.plan import Plan
from suture.core.policies.approvals import ApprovalPolicy, ApprovalRule
from suture.core.rollout.approvals import Approval, Approvals, person, renewed
from suture.core.rollout.progress import next_actions
from suture.core.rollout.signals import approve
from suture.core.rollout.state import ActionKind, HostPhase, RolloutState
from suture.core.rollout.transitions import (
    RefusedError,
    close_wave,
    hosts_finished,
    hosts_started,
    start,
)
from tests.unit.core.builders import NOW, plan, wave

HOUR = timedelta(hours=1)
PEOPLE = {"alice": ("dba",), "bob": ("dba", "security"), "carol": ("security",), "dan": ()}


def approving(*rules: ApprovalRule, four_eyes: bool = False, **fields: Any) -> Plan:
    whole = plan([wave(0, ["a", "b"], ring="broad", **fields)])
    roles = {role: tuple(p for p in PEOPLE if role in PEOPLE[p]) for role in ("dba", "security")}
    policy = ApprovalPolicy(roles=roles, rings={"broad": rules}, four_eyes=four_eyes)
    return replace(whole, approvals=policy)


TWO = approving(ApprovalRule(role="dba", count=2, expires="24h"))


def said(whole: Plan, state: RolloutState, by: str, at: Any = NOW, **fields: Any) -> RolloutState:
    return approve(whole, state, at, by=f"{by}@console", roles=PEOPLE[by], **fields)


def waits(whole: Plan, state: RolloutState, at: Any = NOW) -> str:
    first = next_actions(whole, state, at)[0]
    return first.reason if first.kind is ActionKind.WAIT else ""


def test_the_wait_names_what_is_missing() -> None:
    state = start(TWO, "r")
    assert waits(TWO, state) == "broad waits for 2 more approvals of 2 by dba"
    state = said(TWO, state, "alice")
    assert waits(TWO, state) == "broad waits for 1 more approval of 2 by dba"
    state = said(TWO, state, "bob")
    assert waits(TWO, state) == ""
    assert [(one.person, one.role, one.plan) for one in state.approvals] == [
        ("alice", "dba", TWO.id),
        ("bob", "dba", TWO.id),
    ]


def test_one_person_counts_once_whatever_the_machine() -> None:
    state = said(TWO, start(TWO, "r"), "alice")
    with pytest.raises(RefusedError, match="alice has approved broad already"):
        approve(TWO, state, NOW, by="Alice@elsewhere", roles=("dba",))


def test_who_has_not_the_role_is_refused() -> None:
    for by, roles in (("carol", "roles: security"), ("dan", "no role")):
        with pytest.raises(RefusedError, match=rf"needs approval by dba, and {by} .*{roles}"):
            said(TWO, start(TWO, "r"), by)
    with pytest.raises(RefusedError, match="bob is not of role auditor"):
        said(TWO, start(TWO, "r"), "bob", role="auditor")


def test_an_approval_expires_and_may_be_renewed() -> None:
    state = said(TWO, said(TWO, start(TWO, "r"), "alice"), "bob", at=NOW + HOUR)
    later = NOW + 24 * HOUR
    assert waits(TWO, state, later) == (
        "broad waits for 1 more approval of 2 by dba; alice's expired at 2026-03-03 12:00 UTC"
    )
    state = said(TWO, state, "alice", at=later)
    assert waits(TWO, state, later) == ""
    assert len(state.approvals) == 2


def test_a_wave_that_has_begun_goes_on_when_its_approval_expires() -> None:
    whole = approving(ApprovalRule(role="dba", expires="1h"), parallel=1)
    state = said(whole, start(whole, "r"), "alice")
    state = hosts_started(state, [("a", HostPhase.PATCHING, "")], NOW)
    state = hosts_finished(state, [("a", HostPhase.DONE, "")], NOW)
    later = next_actions(whole, state, NOW + 2 * HOUR)
    assert [(one.kind, one.host) for one in later] == [(ActionKind.START_HOST, "b")]


def test_who_started_it_cannot_approve_it_by_four_eyes() -> None:
    whole = approving(ApprovalRule(role="dba"), four_eyes=True)
    before = (Approval("alice@a", NOW, whole.id, 0, "dba"),)
    state = start(whole, "r", by="alice@b", approvals=before)
    assert waits(whole, state) == (
        "broad waits for 1 more approval of 1 by dba; alice started it and cannot approve it"
    )
    with pytest.raises(RefusedError, match="by four_eyes another person"):
        said(whole, state, "alice")
    assert waits(whole, said(whole, state, "bob")) == ""


def test_four_eyes_hold_for_a_ring_that_anybody_may_approve() -> None:
    whole = replace(plan([wave(0, ["a"], approval=True)]), approvals=ApprovalPolicy(four_eyes=True))
    state = start(whole, "r", by="dan@console")
    with pytest.raises(RefusedError, match="dan started this rollout"):
        said(whole, state, "dan")
    assert waits(whole, said(whole, state, "alice")) == ""


def test_an_approval_given_to_a_plan_counts_for_that_very_plan() -> None:
    other = replace(TWO, parent=TWO.id)
    before = tuple(Approval(f"{by}@a", NOW, TWO.id, 0, "dba") for by in ("alice", "bob"))
    assert waits(TWO, start(TWO, "r", approvals=before)) == ""
    assert "2 more approvals" in waits(other, start(other, "r", approvals=before))


def test_all_roles_have_to_agree_and_one_person_speaks_for_one_role() -> None:
    whole = approving(ApprovalRule(role="dba"), ApprovalRule(role="security"))
    state = said(whole, start(whole, "r"), "bob", role="security")
    assert waits(whole, state) == "broad waits for 1 more approval of 1 by dba"
    with pytest.raises(RefusedError, match="bob has approved broad already"):
        said(whole, state, "bob", role="dba")
    assert waits(whole, said(whole, state, "alice")) == ""


def test_a_ring_is_approved_ahead_of_its_turn_and_for_all_its_waves() -> None:
    waves = [
        wave(0, ["a"], ring="canary"),
        wave(1, ["b"], ring="broad", approval=True),
        wave(2, ["c"], ring="broad", approval=True),
    ]
    whole = plan(waves)
    state = said(whole, start(whole, "r"), "alice", ring="broad")
    assert [one.wave for one in state.approvals] == [1, 2]
    with pytest.raises(RefusedError, match="no wave waits for approval"):
        said(whole, close_wave(state, 0, NOW), "bob", ring="broad")


def test_a_state_from_before_approvals_had_names_still_counts() -> None:
    whole = plan([wave(0, ["a"], approval=True)])
    old = encode(replace(start(whole, "r"), approved=(0,)))
    for key in (b',"approvals":[]', b',"started_by":""'):
        assert key in old
        old = old.replace(key, b"")
    assert waits(whole, decode(old, RolloutState)) == ""


approvals = st.builds(
    Approval,
    by=st.sampled_from([f"{name}@{at}" for name in PEOPLE for at in ("x", "y")]),
    at=st.integers(0, 48).map(lambda hours: NOW + hours * HOUR),
    plan=st.sampled_from([TWO.id, "another"]),
    wave=st.integers(0, 1),
    role=st.sampled_from(["dba", "security", ""]),
)
rules = st.lists(
    st.builds(
        ApprovalRule,
        role=st.sampled_from(["dba", "security", ""]),
        count=st.integers(1, 2),
        expires=st.sampled_from(["", "12h"]),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda rule: rule.role,
)


@given(rules, st.lists(approvals, max_size=8), st.booleans(), st.integers(0, 60))
def test_nothing_passes_without_the_people_that_are_asked(
    wanted: list[ApprovalRule], said_so: list[Approval], four_eyes: bool, hours: int
) -> None:
    whole = approving(*wanted, four_eyes=four_eyes)
    now = NOW + hours * HOUR
    bound = [replace(one, plan=whole.id) if one.plan == TWO.id else one for one in said_so]
    found = Approvals(whole, bound, starter="alice@z", now=now)
    one_wave = whole.waves[0]
    counting = found.counting(one_wave)
    assert len({one.person for one in counting}) == len(counting)
    for one in counting:
        rule = next(rule for rule in wanted if rule.role == one.role)
        assert (one.plan, one.wave) == (whole.id, 0)
        assert not (four_eyes and one.person == "alice")
        assert not rule.expires or now < one.at + 12 * HOUR
    people = {(one.person, one.role) for one in counting}
    met = all(sum(role == r.role for _, role in people) >= r.count for r in wanted)
    assert bool(found.missing(one_wave)) is not met


@given(st.lists(st.sampled_from(sorted(PEOPLE)), max_size=12), rules)
def test_who_is_taken_always_helps_and_enough_people_suffice(
    turns: list[str], wanted: list[ApprovalRule]
) -> None:
    whole = approving(*wanted)
    state = start(whole, "r")
    for by in turns:
        before = len(Approvals(whole, state.approvals, now=NOW).counting(whole.waves[0]))
        try:
            state = said(whole, state, by)
        except RefusedError:
            continue
        after = Approvals(whole, state.approvals, now=NOW).counting(whole.waves[0])
        assert len(after) == before + 1
    assert len({one.person for one in state.approvals}) == len(state.approvals)
    for number in range(5):
        try:
            state = approve(whole, state, NOW, by=f"more-{number}", roles=("dba", "security"))
        except RefusedError:
            break
    assert Approvals(whole, state.approvals, now=NOW).missing(whole.waves[0]) == ""


@given(st.lists(approvals, max_size=6), approvals)
def test_a_renewal_takes_the_place_of_the_older(given_: list[Approval], new: Approval) -> None:
    after = renewed(given_, [new])
    assert after.count(new) == 1
    same = [one for one in after if (one.person, one.wave) == (person(new.by), new.wave)]
    assert same == [new]
