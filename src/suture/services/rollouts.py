"""Rolling a plan out, steering it, proving it, and taking it back."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from suture.core.assessment import matching
from suture.core.documents import Document
from suture.core.evidence import Event, Step, StepReport, Verdict
from suture.core.inventory import Host
from suture.core.planning.lint import has_errors, lint
from suture.core.planning.plan import Plan
from suture.core.policy import Policy
from suture.core.rollout.holding import left_out
from suture.core.rollout.state import HostPhase, NextAction, Signal
from suture.core.rollout.transitions import RefusedError as CoreRefusedError
from suture.engine import ticks
from suture.engine.driver import driving
from suture.engine.following import follow
from suture.engine.ticks import Tick
from suture.services import backups, correcting, fleet, mitigating, plans, policies, rehearsals
from suture.services.collecting import Collected, clock, collect
from suture.services.connections import connector
from suture.services.errors import NotFoundError, RefusedError
from suture.services.host_work import STEPS, FleetRunner, patch_settings
from suture.services.knowledge import known_about
from suture.services.logs import logging_to
from suture.services.rehearsals import Standing
from suture.services.workspace import Workspace
from suture.store import events, hosts, rollouts, signals
from suture.store import plans as stored_plans
from suture.store.database import Store
from suture.store.events import Earlier
from suture.store.rollouts import StoredRollout

OnEvent = Callable[[Event], None]
OnTick = Callable[[Tick], None]

_PLANS_KEPT = 4


class RolloutView(Document, frozen=True):
    """A rollout with its plan, everything that its steps reported, and what it waits for.
    ``corrected`` is the plan, if there is one, for the hosts that it left out."""

    rollout: StoredRollout
    plan: Plan
    reports: tuple[StepReport, ...]
    waiting: tuple[NextAction, ...] = ()
    corrected: str = ""


class Proof(Document, frozen=True):
    """What was found on one host now. ``open`` are CVEs that the plan closes and that still are
    open there, on disk or in a running process."""

    host: str
    verdict: Verdict
    reason: str
    closed: tuple[str, ...]
    open: tuple[str, ...]
    report: StepReport


class NotAsked(Document, frozen=True):
    """A host of which a rollout proves nothing now: it was left alone, or taken back. ``partly``
    are the source packages that were, where the rest stayed."""

    host: str
    phase: HostPhase
    partly: tuple[str, ...] = ()


class Verified(Document, frozen=True):
    hosts: tuple[Proof, ...]
    not_asked: tuple[NotAsked, ...] = ()


def start(
    workspace: Workspace,
    plan_id: str,
    *,
    policy_file: Path | None = None,
    actor: str,
    without_rehearsal: bool,
) -> tuple[str, Plan]:
    """Record a rollout of the plan; nothing happens until it is driven.

    Raises :class:`RefusedError` for a plan that fails lint, that was not rehearsed with a pass
    that still counts for every class of its hosts, or whose hosts take part in another rollout.
    """
    policy, _ = policies.load(workspace, policy_file)
    with fleet.opened(workspace) as store:
        plan = plans.get(store, plan_id)
        problems = lint(plan)
        if has_errors(problems):
            raise RefusedError(
                f"plan {plan.id} does not pass lint: {problems[0].message}", problems[0].remedy
            )
        if not without_rehearsal:
            require_rehearsal(store, plan, policy)
        rollout = secrets.token_hex(6)
        try:
            ticks.start_rollout(
                store,
                plan,
                rollout,
                actor=actor,
                without_rehearsal=without_rehearsal,
                now=clock(),
            )
        except CoreRefusedError as error:
            raise RefusedError(str(error), _go_on(store, plan)) from None
    return rollout, plan


def _go_on(store: Store, plan: Plan) -> str:
    """How to go on with a rollout of the plan that is not over; empty where there is none."""
    with store.read() as connection:
        alike = [one.id for one in rollouts.unfinished(connection) if one.plan == plan.id]
    return (
        f"It rolls out this plan; go on with it: suture rollout watch {alike[0]}" if alike else ""
    )


def require_rehearsal(store: Store, plan: Plan, policy: Policy) -> None:
    """Raises :class:`RefusedError` where no passed rehearsal that still counts is there for one of
    the plan's hosts."""
    with store.read() as connection:
        standings = rehearsals.standings(connection, plan, policy, clock())
    missing = [_lacking(standing) for standing in standings if not standing.passed]
    if missing:
        raise RefusedError(
            f"plan {plan.id} has no passed rehearsal for hosts like {', '.join(missing)}",
            f"Run `suture rehearse {plan.id}`, or insist with --without-rehearsal.",
        )


def _lacking(standing: Standing) -> str:
    if standing.verdict is None:
        return standing.host
    why = f", stale: {standing.stale}" if standing.stale else ""
    return f"{standing.host} ({standing.verdict.value}{why})"


def get(store: Store, rollout_id: str) -> StoredRollout:
    """The rollout whose id begins with ``rollout_id``; ``latest`` is the newest."""
    with store.read() as connection:
        if rollout_id == "latest":
            newest = rollouts.newest(connection)
            if newest is None:
                raise NotFoundError(
                    f"no rollout {rollout_id!r}; there is none yet",
                    "Start one: suture rollout start PLAN",
                )
            found: tuple[str, ...] = (newest,)
        else:
            found = rollouts.find(connection, rollout_id)
        rollout = rollouts.get(connection, found[0]) if len(found) == 1 else None
    if rollout is None:
        what = f"{len(found)} rollouts begin with" if found else "no rollout"
        raise NotFoundError(f"{what} {rollout_id!r:.80}", "List them: suture rollout list")
    return rollout


def view(workspace: Workspace, rollout_id: str) -> RolloutView:
    with fleet.opened(workspace) as store:
        return view_of(store, get(store, rollout_id))


def view_of(store: Store, rollout: StoredRollout) -> RolloutView:
    with store.read() as connection:
        plan = stored_plans.get(connection, rollout.plan)
        reports = rollouts.step_reports(connection, rollout.id)
    assert plan is not None
    follows = correcting.corrected(store, rollout, plan)
    corrected = follows.id if follows else ""
    waiting = ticks.look(store, plan, rollout.id, clock()).waiting
    return RolloutView(rollout, plan, reports, waiting, corrected)


def listing(workspace: Workspace) -> tuple[StoredRollout, ...]:
    """All rollouts, newest first."""
    with fleet.opened(workspace) as store, store.read() as connection:
        return rollouts.listing(connection)


def say(
    workspace: Workspace, rollout_id: str, signal: Signal, *, actor: str, reason: str
) -> StoredRollout:
    """Give a signal and have it answered at once, whoever drives the rollout.

    Raises :class:`RefusedError` with the rollout's own answer.
    """
    with fleet.opened(workspace) as store:
        found = view_of(store, get(store, rollout_id))
        with store.begin() as connection:
            number = signals.give(
                connection, found.rollout.id, signal, actor=actor, reason=reason, now=clock()
            )
        ticks.take_signals(store, found.plan, found.rollout.id, clock())
        with store.read() as connection:
            answered = signals.get(connection, number)
        if answered is not None and answered.answer:
            raise RefusedError(answered.answer)
        return get(store, found.rollout.id)


def before_last(workspace: Workspace, rollout_id: str, last: int) -> Earlier | None:
    """What happened before the ``last`` events of a rollout; a step's start is none."""
    with fleet.opened(workspace) as store:
        rollout = get(store, rollout_id)
        with store.read() as connection:
            return events.before_last(connection, rollout.id, last, but="step.started")


def drive(
    workspace: Workspace,
    rollout_id: str,
    *,
    policy_file: Path | None = None,
    on_event: OnEvent,
    on_tick: OnTick,
) -> RolloutView:
    """Until the rollout is over or waits for a person; then look at the touched hosts again.

    Where workers are at work they do that, and it is only followed.
    """
    policy, _ = policies.load(workspace, policy_file)
    with fleet.opened(workspace) as store:
        rollout = get(store, rollout_id)
        told = _Once(on_event)
        if follow(store, rollout.id, on_event=told, on_tick=on_tick) is None:
            runner, _ = runner_for(workspace, store, policy)
            at_once = policy.concurrency.total
            with (
                logging_to(workspace.log),
                driving(store, runner, at_once=at_once, rollout=rollout.id) as driver,
            ):
                driver.drive(rollout.id, on_event=told, on_tick=on_tick)
            conclude(workspace, store, policy, rollout.id)
        return view_of(store, get(store, rollout.id))


class _Once:
    """Passes on each event once, whoever reads them from the beginning again."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._seen = 0

    def __call__(self, event: Event) -> None:
        if event.seq > self._seen:
            self._seen = event.seq
            self._on_event(event)


def conclude(workspace: Workspace, store: Store, policy: Policy, rollout_id: str) -> None:
    """After a rollout's end, or where it waits for a person: record what its controls mitigate
    now, look at the touched hosts again, and plan for those that a held back package left out."""
    after = get(store, rollout_id)
    plan = ticks.load_plan(store, after.id)
    mitigating.record_rollout(store, plan, after.state, clock())
    untouched = (HostPhase.WAITING, HostPhase.FETCHING, HostPhase.SKIPPED)
    held = left_out(plan, after.state)
    seen = [h.host for h in after.state.hosts if h.phase not in untouched or h.host in held]
    asyncio.run(look_again(workspace, store, policy, _enrolled(store), seen))
    correcting.correct(store, after, plan, policy)


async def look_again(
    workspace: Workspace,
    store: Store,
    policy: Policy,
    enrolled: Mapping[str, Host],
    names: Sequence[str],
) -> tuple[Collected, ...]:
    """What is seen on these hosts now, kept."""
    async with connector(workspace, concurrency=policy.concurrency) as ways:
        found = [enrolled[name] for name in names if name in enrolled]
        seen = await collect(ways, found, refresh=False, progress=lambda host, what: None)
    fleet.record(store, seen, (), clock())
    return seen


def runner_for(
    workspace: Workspace, store: Store, policy: Policy
) -> tuple[FleetRunner, dict[str, Host]]:
    """Who does the steps of rollouts, and the enrolled hosts by name, as they are when a rollout's
    plan is first needed."""
    enrolled = _enrolled(store)

    @lru_cache(maxsize=_PLANS_KEPT)
    def plan_of(rollout_id: str) -> Plan:
        enrolled.update(_enrolled(store))
        return ticks.load_plan(store, rollout_id)

    ways = connector(workspace, concurrency=policy.concurrency)
    runner = FleetRunner(
        ways,
        enrolled,
        plan_of,
        patch_settings(policy),
        backups.Protected(store).on,
        policy.backup.snapshot_hooks,
    )
    return runner, enrolled


def _enrolled(store: Store) -> dict[str, Host]:
    with store.read() as connection:
        return {host.name: host for host in hosts.listing(connection)}


async def verify(
    workspace: Workspace, rollout_id: str, names: Sequence[str], *, policy_file: Path | None = None
) -> Verified:
    """Ask the hosts themselves, now, whether what the rollout did still holds."""
    with fleet.opened(workspace) as store:
        found = view_of(store, get(store, rollout_id))
        policy, _ = policies.load(workspace, policy_file)
        phases = rollouts.host_phases(found.rollout.state)
        for name in names:
            if name not in phases:
                raise NotFoundError(
                    f"{name} is not a host of rollout {found.rollout.id}",
                    f"See them: suture rollout status {found.rollout.id}",
                )
        chosen = {name: phase for name, phase in phases.items() if not names or name in names}
        wanted = [name for name, phase in chosen.items() if phase is HostPhase.DONE]
        partly = {
            one.host: one.way_back.sources
            for one in found.rollout.state.hosts
            if one.way_back and one.phase is HostPhase.ROLLED_BACK
        }
        if not wanted:
            raise RefusedError(
                "none of these hosts has the whole patch of this rollout now",
                f"See them: suture rollout status {found.rollout.id}",
            )
        runner, enrolled = runner_for(workspace, store, policy)
        reports = await asyncio.gather(*(_verify(runner, found.rollout.id, one) for one in wanted))
        mitigating.record_checks(store, found.plan, found.rollout.id, reports, clock())
        seen = await look_again(workspace, store, policy, enrolled, wanted)
        releases = {one.inventory.os.release for one in seen if one.inventory is not None}
        index = known_about(store, releases, now=clock()).index
    still = {
        one.host.name: {finding.cve for finding in matching.match(one.inventory, index)}
        for one in seen
        if one.inventory is not None
    }
    return Verified(
        hosts=tuple(
            proof(found.plan, report, still.get(name))
            for name, report in zip(wanted, reports, strict=True)
        ),
        not_asked=tuple(
            NotAsked(name, phase, partly.get(name, ()))
            for name, phase in chosen.items()
            if phase is not HostPhase.DONE
        ),
    )


async def _verify(runner: FleetRunner, rollout: str, host: str) -> StepReport:
    session = runner.session(rollout, host)
    try:
        return await STEPS[Step.VERIFY](session)
    finally:
        await session.close()


def proof(plan: Plan, report: StepReport, still: set[str] | None) -> Proof:
    """What a report amounts to with the CVEs that are ``still`` open there, None: not known."""
    closes = plan.host(report.host).closes
    verdict, reason = report.verdict, report.reason
    if still is None:
        left: tuple[str, ...] = closes
        verdict = Verdict.INCONCLUSIVE if verdict is Verdict.PASS else verdict
        reason = reason or "the host could not be scanned again"
    else:
        left = tuple(cve for cve in closes if cve in still)
    if left and verdict is Verdict.PASS:
        verdict, reason = Verdict.FAIL, f"{len(left)} CVEs are still open"
    return Proof(
        host=report.host,
        verdict=verdict,
        reason=reason,
        closed=tuple(cve for cve in closes if cve not in left),
        open=left,
        report=report,
    )
