"""Who has agreed that a wave may start, and who still has to.

An approval is of one person, for one wave of one plan, bound to that plan's hash. It is given as
one role, counts once, and no longer than the plan's rule says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from suture.core.documents import Document
from suture.core.planning.plan import Plan, Wave
from suture.core.policies.approvals import ApprovalRule
from suture.core.words import seconds

if TYPE_CHECKING:
    from suture.core.rollout.state import RolloutState

_ANYBODY = (ApprovalRule(),)


class Approval(Document, frozen=True):
    """``by`` is the actor as the record names it (``alice@console``), ``plan`` the plan's id, and
    ``role`` the one as which the person agreed, empty where any person would do."""

    by: str
    at: datetime
    plan: str
    wave: int
    role: str = ""
    reason: str = ""

    @property
    def person(self) -> str:
        return person(self.by)


def person(actor: str) -> str:
    """The login name. The same name on two machines is taken for one person: it counts once."""
    return actor.partition("@")[0].casefold()


def rules(plan: Plan, wave: Wave) -> tuple[ApprovalRule, ...]:
    """What the wave needs before it starts, empty where nobody has to be asked."""
    asked = plan.approvals.rings.get(wave.ring, ()) if plan.approvals else ()
    return asked or (_ANYBODY if wave.approval else ())


def renewed(given: Sequence[Approval], added: Sequence[Approval]) -> tuple[Approval, ...]:
    """All approvals, a new one in place of the same person's older one for the wave."""
    again = {(one.person, one.wave) for one in added}
    return (*(one for one in given if (one.person, one.wave) not in again), *added)


def standing(plan: Plan, state: RolloutState, now: datetime) -> Approvals:
    """The approvals of a rollout as they stand now."""
    return Approvals(
        plan, state.approvals, starter=state.started_by, passed=state.approved, now=now
    )


class Approvals:
    """Those ``given`` for a plan as they stand ``now``. ``starter`` is who started the rollout,
    empty before it is started; waves of ``passed`` need none any more."""

    def __init__(
        self,
        plan: Plan,
        given: Sequence[Approval],
        *,
        starter: str = "",
        passed: Collection[int] = (),
        now: datetime,
    ) -> None:
        self._plan = plan
        self._passed = passed
        self._given = [one for one in given if one.plan == plan.id]
        self._now = now
        four_eyes = bool(plan.approvals and plan.approvals.four_eyes)
        self._barred = person(starter) if four_eyes and starter else None

    def missing(self, wave: Wave) -> str:
        """What the wave waits for, in words; empty where it has all that it needs."""
        wanted = rules(self._plan, wave)
        if wave.index in self._passed:
            return ""
        lacks = [(rule, lack) for rule in wanted if (lack := self._lack(wave, rule)) > 0]
        if not lacks:
            return ""
        asked = " and ".join(_more(rule, lack) for rule, lack in lacks)
        notes = [f"{wave.ring} waits for {'approval' if wanted == _ANYBODY else asked}"]
        notes += self._expired(wave)
        if self._barred:
            notes.append(f"{self._barred} started it and cannot approve it")
        return "; ".join(notes)

    def granted(
        self, waves: Iterable[Wave], *, by: str, roles: Sequence[str], role: str = "", reason: str
    ) -> tuple[Approval, ...] | str:
        """The approvals of ``waves`` that a person of ``roles`` adds, or why there are none.

        Where ``role`` is given, as that; else as the first of their roles that a wave still needs.
        """
        if role and role not in roles:
            return f"{person(by)} is not of role {role} ({_named(roles)})"
        added: list[Approval] = []
        refusals: list[str] = []
        for wave in waves:
            rule = self._rule_for(wave, by, (role,) if role else roles)
            if isinstance(rule, str):
                refusals.append(rule)
            else:
                given = Approval(by, self._now, self._plan.id, wave.index, rule.role, reason)
                added.append(given)
        return tuple(added) or (refusals[0] if refusals else "no wave waits for approval")

    def counting(self, wave: Wave) -> tuple[Approval, ...]:
        """The approvals of the wave that count now, at most one of each person."""
        known = {rule.role: rule for rule in rules(self._plan, wave)}
        counting: dict[str, Approval] = {}
        for one in self._given:
            rule = known.get(one.role)
            if rule is None or one.wave != wave.index or one.person == self._barred:
                continue
            if not self._is_expired(one, rule):
                counting.setdefault(one.person, one)
        return tuple(counting.values())

    def _rule_for(self, wave: Wave, by: str, roles: Sequence[str]) -> ApprovalRule | str:
        """The rule that the person helps to meet, or why there is none."""
        wanted = rules(self._plan, wave)
        who = person(by)
        if not wanted:
            return f"no wave waits for approval: {wave.ring} needs none"
        if who == self._barred:
            return f"{who} started this rollout; by four_eyes another person has to approve it"
        lacking = [rule for rule in wanted if self._lack(wave, rule) > 0]
        if not lacking:
            return f"no wave waits for approval: {wave.ring} has all that it needs"
        if any(one.person == who for one in self.counting(wave)):
            return f"{who} has approved {wave.ring} already"
        mine = next((rule for rule in lacking if not rule.role or rule.role in roles), None)
        if mine is None:
            needed = " and ".join(rule.role for rule in lacking)
            return f"{wave.ring} needs approval by {needed}, and {who} is not ({_named(roles)})"
        return mine

    def _lack(self, wave: Wave, rule: ApprovalRule) -> int:
        return rule.count - sum(one.role == rule.role for one in self.counting(wave))

    def _is_expired(self, approval: Approval, rule: ApprovalRule) -> bool:
        return bool(rule.expires) and self._now >= _until(approval, rule)

    def _expired(self, wave: Wave) -> list[str]:
        known = {rule.role: rule for rule in rules(self._plan, wave)}
        return [
            f"{one.person}'s expired at {_until(one, known[one.role]):%Y-%m-%d %H:%M} UTC"
            for one in self._given
            if one.wave == wave.index
            and one.role in known
            and self._is_expired(one, known[one.role])
        ]


def _until(approval: Approval, rule: ApprovalRule) -> datetime:
    return approval.at + timedelta(seconds=seconds(rule.expires))


def _more(rule: ApprovalRule, lack: int) -> str:
    plural = "" if lack == 1 else "s"
    return f"{lack} more approval{plural} of {rule.count}" + (
        f" by {rule.role}" if rule.role else ""
    )


def _named(roles: Sequence[str]) -> str:
    return f"roles: {', '.join(roles)}" if roles else "no role"
