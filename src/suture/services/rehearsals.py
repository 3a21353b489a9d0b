"""What earlier rehearsals are worth for a plan: which still count, and why others do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from suture.core.documents import Document, decode
from suture.core.evidence import Verdict
from suture.core.inventory import Host
from suture.core.planning.inputs import Inputs, changed, in_words, inputs_of
from suture.core.planning.plan import HostPlan, Plan
from suture.core.policy import Policy
from suture.core.words import seconds
from suture.hosts.shell import scripts_digest
from suture.services import fleet, policies
from suture.services.collecting import clock
from suture.services.suites import Suites
from suture.services.workspace import Workspace
from suture.store import hosts
from suture.store import plans as stored_plans
from suture.store.plans import StoredRehearsal

_OTHERS = 200  # rehearsals of other classes that are looked through for what has changed


class Standing(Document, frozen=True):
    """How hosts that are alike stand, ``host`` for all of them.

    ``verdict`` and ``ended_at`` are of the newest rehearsal that says anything about them, None
    where there is none. ``stale`` says why it does not count any more, empty where it does.
    """

    class_id: str
    host: str
    hosts: int
    inputs: Inputs
    verdict: Verdict | None = None
    ended_at: datetime | None = None
    stale: str = ""

    @property
    def passed(self) -> bool:
        """Whether there is nothing to rehearse."""
        return self.verdict is Verdict.PASS and not self.stale


class _Rehearsal(Document, frozen=True):
    """Of a stored rehearsal, what is read here."""

    host: str = ""
    inputs: Inputs | None = None


def of_plan(workspace: Workspace, plan: Plan) -> tuple[Standing, ...]:
    """How the plan's hosts stand now, under the policy in force."""
    policy, _ = policies.load(workspace)
    with fleet.opened(workspace) as store, store.read() as connection:
        return standings(connection, plan, policy, clock())


def standings(
    connection: sa.Connection, plan: Plan, policy: Policy, now: datetime
) -> tuple[Standing, ...]:
    """One for all hosts that a single twin stands for, in the plan's order."""
    enrolled = {host.name: host for host in hosts.listing(connection)}
    kinds = _kinds(plan.hosts, policy, enrolled)
    classes = {kind.class_id for kind in kinds}
    past = [_read(one) for one in stored_plans.rehearsals_of(connection, classes)]
    if classes - {stored.class_id for stored, _ in past}:
        past += [_read(one) for one in stored_plans.latest_rehearsals(connection, _OTHERS)]
    max_age = policy.rehearsal.max_age
    limit_s = seconds(max_age) if max_age else None
    return tuple(_standing(kind, members, past, now, limit_s) for kind, members in kinds.items())


def _kinds(
    plans: Iterable[HostPlan], policy: Policy, enrolled: Mapping[str, Host]
) -> dict[Inputs, list[HostPlan]]:
    kinds: dict[Inputs, list[HostPlan]] = {}
    suites = Suites.of_policy(policy)
    for host in plans:
        known = enrolled.get(host.host)
        inputs = inputs_of(
            host,
            policy,
            address=known.address if known else host.host,
            scripts=scripts_digest(),
            suites=suites.digest_on(known) if known else "",
        )
        kinds.setdefault(inputs, []).append(host)
    return kinds


def _read(stored: StoredRehearsal) -> tuple[StoredRehearsal, _Rehearsal]:
    return stored, decode(stored.document, _Rehearsal)


def _standing(
    inputs: Inputs,
    members: Sequence[HostPlan],
    past: Sequence[tuple[StoredRehearsal, _Rehearsal]],
    now: datetime,
    limit_s: float | None,
) -> Standing:
    """By the newest rehearsal of the same inputs, else of the class, else of one of the hosts."""
    names = {host.host for host in members}
    tests: tuple[Callable[[StoredRehearsal, _Rehearsal], bool], ...] = (
        lambda _, one: one.inputs == inputs,
        lambda stored, _: stored.class_id == inputs.class_id,
        lambda _, one: one.host in names,
    )
    standing = Standing(inputs.class_id, members[0].host, len(members), inputs)
    for test in tests:
        for stored, one in past:
            if test(stored, one):
                age_s = (now - stored.ended_at).total_seconds()
                return msgspec.structs.replace(
                    standing,
                    verdict=stored.verdict,
                    ended_at=stored.ended_at,
                    stale=_stale(one.inputs, inputs, age_s, limit_s),
                )
    return standing


def _stale(before: Inputs | None, now: Inputs, age_s: float, limit_s: float | None) -> str:
    if before is None:
        return "an older version of Suture did not record what it rests on"
    if names := changed(before, now):
        return f"{in_words(names)} changed"
    if limit_s is not None and age_s > limit_s:
        return "it is older than the policy's rehearsal.max_age"
    return ""
