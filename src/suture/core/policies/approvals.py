"""Who has to agree before a ring starts: the part of the policy that a plan carries along."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta, field

from suture.core.documents import Document
from suture.core.words import Count, Name

Member = Annotated[
    str,
    Meta(
        pattern=r"^%?[A-Za-z0-9_][A-Za-z0-9_.@\\-]{0,127}\Z",
        description="a login name, or a system group such as %dba",
    ),
]

Role = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?\Z", description="a role's name")
]
Expiry = Annotated[
    str, Meta(pattern=r"^([0-9]{1,6}[smhd])?\Z", description="a duration such as 24h or 7d")
]


class ApprovalRule(Document, frozen=True, kw_only=True):
    """``count`` people have to agree as ``role``, or any people where it is empty. What one said
    counts until it ``expires``, or, where that is empty, for as long as the plan stands."""

    role: Role = ""
    count: Count = 1
    expires: Expiry = ""


class ApprovalPolicy(Document, frozen=True, kw_only=True):
    """``roles`` are login names and system groups (``%dba``); ``rings`` say who has to agree before
    one starts. With ``four_eyes`` nobody approves a rollout that they started themselves."""

    roles: Mapping[Name, tuple[Member, ...]] = field(default_factory=dict)
    rings: Mapping[Name, tuple[ApprovalRule, ...]] = field(default_factory=dict)
    four_eyes: bool = False

    def __post_init__(self) -> None:
        for ring, rules in self.rings.items():
            roles = [rule.role for rule in rules]
            for rule in rules:
                self._check(ring, rule)
                if roles.count(rule.role) > 1:
                    who = f"role `{rule.role}`" if rule.role else "anybody"
                    raise ValueError(f"ring `{ring}` asks {who} twice; raise its count instead")

    def _check(self, ring: str, rule: ApprovalRule) -> None:
        if not rule.role:
            return
        if rule.role not in self.roles:
            raise ValueError(f"ring `{ring}` asks role `{rule.role}`, which is not among roles")
        members = set(self.roles[rule.role])
        if len(members) < rule.count and not any(one.startswith("%") for one in members):
            raise ValueError(
                f"ring `{ring}` asks {rule.count} of role `{rule.role}`, which has {len(members)}"
            )

    def roles_of(self, person: str, groups: frozenset[str]) -> tuple[str, ...]:
        """The roles of a person by login name and system groups, in the policy's order."""
        names = {person, *(f"%{group}" for group in groups)}
        return tuple(role for role, members in self.roles.items() if not names.isdisjoint(members))
