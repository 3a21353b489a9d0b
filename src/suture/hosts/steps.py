"""What every step has in common: the plan as a table for scripts, and the report at its end."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable

from msgspec import UNSET

from suture.core.documents import Document
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.plan import HostPlan
from suture.core.selection.ledger import Change
from suture.hosts.results import Results, parse_results
from suture.hosts.session import TRANSIENT, PatchSession
from suture.hosts.shell import printable
from suture.hosts.transaction import LOG_TAIL, Receipt, TransactionState
from suture.hosts.transport import HostError, Result

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{0,127}")
_ARCH = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Outcome(Document, frozen=True):
    """How a step ended; :func:`perform` makes the report of it."""

    verdict: Verdict
    reason: str = ""
    changed_host: bool = False
    suspects: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    log: str = ""
    unreachable: bool = False


async def perform(
    session: PatchSession,
    step: Step,
    body: Callable[[], Awaitable[Outcome]],
    *,
    transaction: bool,
    mutates: bool,
) -> StepReport:
    """Run a step; a host out of reach makes it INCONCLUSIVE, never an exception. One that does not
    mutate has changed nothing, even where a reboot cut it off."""
    started_at, began = session.now(), time.monotonic()
    try:
        outcome = await body()
    except HostError as error:
        failure = error.failure
        outcome = Outcome(
            Verdict.INCONCLUSIVE,
            f"the host's state could not be established: {failure.message}; {failure.remedy}",
            changed_host=mutates,
            unreachable=failure.kind in TRANSIENT,
        )
    except UnfitPlanError as error:
        outcome = Outcome(Verdict.FAIL, str(error))
    return StepReport(
        host=session.host,
        step=step,
        verdict=outcome.verdict,
        started_at=started_at,
        seconds=round(time.monotonic() - began, 3),
        reason=outcome.reason,
        changed_host=mutates and outcome.changed_host,
        suspects=outcome.suspects,
        checks=outcome.checks,
        transaction=session.transaction_id(step) if transaction else "",
        log=outcome.log,
        unreachable=outcome.unreachable or UNSET,
    )


class UnfitPlanError(ValueError):
    """The plan holds something that no package has; nothing of it reaches a shell."""


def plan_table(changes: Iterable[Change]) -> str:
    """One line a package for scripts: name arch before after sha256 size action."""
    lines = [_plan_line(change) for change in changes]
    if not lines:
        raise UnfitPlanError("the plan changes nothing on this host; scan and plan again")
    return "\n".join(lines)


def package_table(plan: HostPlan) -> str:
    """The table of a plan's packages; empty where controls are all that is planned."""
    return plan_table(plan.changes) if plan.changes or not plan.controls else ""


def _plan_line(change: Change) -> str:
    before = change.before if change.before is not None else "-"
    fits = (
        _NAME.fullmatch(change.package)
        and _ARCH.fullmatch(change.arch)
        and (before == "-" or _VERSION.fullmatch(before))
        and _VERSION.fullmatch(change.after)
        and _SHA256.fullmatch(change.sha256)
        and change.size > 0
    )
    if not fits:
        raise UnfitPlanError(
            f"the plan names no valid package, version, size or sha256 in {change.package!r:.80}; "
            "scan and plan again"
        )
    return (
        f"{change.package} {change.arch} {before} {change.after} "
        f"{change.sha256} {change.size} {change.action.value}"
    )


def settle(receipt: Receipt) -> tuple[Results, Outcome | None]:
    """A transaction's results, and its outcome where it did not end well.

    ``changed_host`` follows the marks that the script leaves before and after its first change;
    after a reboot those may be lost, so then the host counts as changed.
    """
    results = parse_results(receipt.result)
    changing = results.has("changing") and not results.has("unchanged")
    if receipt.succeeded:
        return results, None
    match receipt.state:
        case TransactionState.REFUSED:
            reason = (
                f"the host refused this controller: its fence is {receipt.fence}, ours is lower; "
                "another controller has taken over, leave the host to that one; if that one is "
                "gone for good, remove /var/lib/suture/fence on the host"
            )
            return results, Outcome(Verdict.FAIL, reason)
        case TransactionState.BUSY:
            reason = "another transaction was at work on the host; try again when it has ended"
            return results, Outcome(Verdict.FAIL, reason)
        case TransactionState.INTERRUPTED:
            cause = "a reboot" if receipt.rebooted else "the death of its process"
            reason = f"interrupted by {cause} before it ended; roll the host back"
            changing = changing or receipt.rebooted
        case _:
            reason = results.first("reason") or f"the script ended with status {receipt.exit}"
    return results, Outcome(
        Verdict.FAIL,
        reason,
        changed_host=changing,
        checks=results.checks + results.notes,
        log=receipt.log,
    )


def read_query(result: Result) -> tuple[Results, Outcome | None]:
    """The same for a script that changes nothing; it must have come to its end."""
    results = parse_results(result.stdout)
    log = printable(result.stderr[-LOG_TAIL:])
    if result.exit == 0 and results.has("end"):
        return results, None
    reason = results.first("reason") or f"the script ended early, with status {result.exit}"
    verdict = Verdict.FAIL if results.has("reason") else Verdict.INCONCLUSIVE
    return results, Outcome(verdict, reason, checks=results.checks, log=log)


def conclude(checks: Iterable[Check]) -> tuple[Verdict, str]:
    """The worst verdict, and the checks behind it in words."""
    checks = tuple(checks)
    for verdict in (Verdict.FAIL, Verdict.INCONCLUSIVE):
        worst = [check for check in checks if check.verdict is verdict]
        if worst:
            return verdict, "; ".join(f"{check.name}: {check.detail}" for check in worst)[:1500]
    return Verdict.PASS, ""


def sources_of(packages: Iterable[str], changes: Iterable[Change]) -> tuple[str, ...]:
    """The source packages of binary ones, as far as the plan changes them; sorted."""
    source = {change.package: change.source for change in changes}
    return tuple(sorted({source[name] for name in packages if name in source}))
