"""Who has to agree: what a policy may say of it, and which roles a person has."""

import pytest

from suture.core.policies.approvals import ApprovalPolicy
from suture.core.policy import Policy, PolicyError, parse

TEXT = """\
approvals:
  roles:
    dba: [alice, bob]
    security: ["%sec"]
  rings:
    broad: [{role: dba, count: 2, expires: 24h}, {role: security}]
  four_eyes: true
"""


def test_it_is_read_with_the_policy() -> None:
    approvals = parse(TEXT, name="policy.yaml").approvals
    assert approvals.four_eyes
    first, second = approvals.rings["broad"]
    assert (first.role, first.count, first.expires) == ("dba", 2, "24h")
    assert (second.role, second.count, second.expires) == ("security", 1, "")


def test_roles_come_from_the_name_and_from_groups() -> None:
    approvals = parse(TEXT, name="policy.yaml").approvals
    assert approvals.roles_of("alice", frozenset()) == ("dba",)
    assert approvals.roles_of("alice", frozenset({"sec"})) == ("dba", "security")
    assert approvals.roles_of("sec", frozenset({"alice"})) == (), "a group is no person"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("role: dba", "role: dbas", "which is not among roles"),
        ("count: 2", "count: 3", "asks 3 of role `dba`, which has 2"),
        ("{role: security}", "{role: dba}", "asks role `dba` twice"),
        ("broad:", "abroad:", "there is no ring `abroad`"),
        ("alice", '"al ice"', "a login name, or a system group"),
        ("24h", "tomorrow", "a duration"),
    ],
)
def test_what_cannot_be_met_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        parse(TEXT.replace(old, new), name="policy.yaml")


def test_a_policy_without_is_one_that_asks_nobody() -> None:
    assert Policy().approvals == ApprovalPolicy()
