"""Proof that a patch took, and that a way back led back: from the host's own records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.plan import HostPlan
from suture.core.planning.restarts import LEFT_RUNNING
from suture.core.selection.ledger import Change
from suture.hosts.controls import control_functions
from suture.hosts.health import health_functions, judge_health
from suture.hosts.reboot_back import kernel_checks
from suture.hosts.results import Results
from suture.hosts.rollback import way_back_functions
from suture.hosts.services import RUNNING_CODE, left_running, left_running_the_patch
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, conclude, package_table, perform, read_query, sources_of

_Packages = set[tuple[str, str, str]]


async def verify(session: PatchSession) -> StepReport:
    """Package database, the package manager's logs, files, units, processes, controls, health
    checks."""

    async def body() -> Outcome:
        result = await session.query(_script(session, "verify"), timeout_s=300)
        results, failed = read_query(result)
        if failed:
            return failed
        return judge_verification(session.plan, results)

    return await perform(session, Step.VERIFY, body, transaction=False, mutates=True)


async def verify_roll_back(session: PatchSession) -> StepReport:
    """Exactly the versions, configuration, marks and services from before, and healthy."""

    async def body() -> Outcome:
        head = way_back_functions(session)
        head += program("query", "health", HEALTH_WAIT_S=session.settings.health_wait_s)
        functions = health_functions(session.plan.checks)
        script = head + functions + program("verify-rollback")
        results, failed = read_query(await session.query(script, timeout_s=300))
        if failed:
            return failed
        keeps = session.way_back is not None and session.way_back.keep_changed
        return judge_rollback(session.plan, results, keeps_changed=keeps)

    return await perform(session, Step.VERIFY_ROLL_BACK, body, transaction=False, mutates=True)


def judge_verification(plan: HostPlan, results: Results) -> Outcome:
    """What the host's answers after a patch mean."""
    health = judge_health(plan.checks, results)
    units = list(results.of("failed-unit", 2))
    altered = [line for (line,) in results.of("altered", 1)]
    checks = (
        *results.checks,
        _versions(plan.changes, results),
        _logged(plan.changes, results),
        _empty("package files", altered, "as the packages brought them", "differ from the package"),
        _empty(
            "failed units", [u for u, _ in units], "no more than before", "failed since the patch"
        ),
        *health,
        left_running(results),
        *_new_configuration(results),
    )
    verdict, reason = _conclude(checks)
    suspects = {owner for _, owner in units if owner}
    return Outcome(
        verdict,
        reason,
        changed_host=results.has("package") or bool(plan.controls),
        suspects=sources_of(suspects, plan.changes),
        checks=checks,
    )


def judge_rollback(plan: HostPlan, results: Results, *, keeps_changed: bool = False) -> Outcome:
    """What the host's answers after a way back mean.

    Packages, configuration, marks, services and the kernel decide. Other memory is said beside
    them: what cannot be restarted may run the patched code until a reboot that the policy forbids.
    """
    differing = sorted({key for _, key, _, _ in results.of("package", 4)})
    decisions = list(results.of("config", 2))
    off = [path for what, path in decisions if what in ("restore", "remove")]
    marks = [f"{name} ({mark})" for mark, name in results.of("mark", 2)]
    checks = (
        *results.checks,
        _empty("versions", differing, "exactly as before", "differ from before"),
        _empty("configuration", off, "exactly as before", "differ from before"),
        *_foreign_configuration(decisions, keeps_changed),
        _empty("marks", marks, "exactly as before", "differ from before"),
        _empty(
            "failed units",
            [u for u, _ in results.of("failed-unit", 2)],
            "no more than before",
            "failed",
        ),
        _empty(
            "active units",
            [u for (u,) in results.of("inactive", 1)],
            "as before",
            "do not run any more",
        ),
        *judge_health(plan.checks, results),
        *kernel_checks(plan, results),
        left_running_the_patch(results),
    )
    verdict, reason = _conclude(checks)
    return Outcome(verdict, reason, changed_host=bool(differing or off), checks=checks)


def _conclude(checks: Sequence[Check]) -> tuple[Verdict, str]:
    """Running code decides nothing; where all else passes, it is what there is to know."""
    verdict, reason = conclude([check for check in checks if check.name != RUNNING_CODE])
    running = [check for check in checks if check.name == RUNNING_CODE]
    if verdict is Verdict.PASS:
        _, reason = conclude(running)
    return verdict, reason


def _script(session: PatchSession, *names: str) -> str:
    head = program(
        "common",
        "query",
        "state",
        "stale",
        "restart",
        "health",
        LEFT_RUNNING=LEFT_RUNNING,
        PLAN=package_table(session.plan),
        RETURN_ID=session.bundle_id,
        APPLY_ID=session.transaction_id(Step.APPLY),
        HEALTH_WAIT_S=session.settings.health_wait_s,
    )
    functions = health_functions(session.plan.checks) + control_functions(session)
    return head + functions + program(*names)


def _versions(changes: Iterable[Change], results: Results) -> Check:
    """Before and after differ by exactly the plan."""
    gone: _Packages = set()
    there: _Packages = set()
    for sign, key, version, state in results.of("package", 4):
        (gone if sign == "-" else there).add((key, version, state))
    planned = {(c.key, c.after, "installed ok") for c in changes}
    replaced = {(c.key, c.before, "installed ok") for c in changes if c.before is not None}
    lost = [f"{key} {version} is not installed" for key, version, _ in sorted(planned - there)]
    more = [f"{key} is {version} ({state})" for key, version, state in sorted(there - planned)]
    removed = [
        f"{key} {version} was removed"
        for key, version, _ in sorted(gone - replaced)
        if key not in {known for known, _, _ in there}
    ]
    wrong = [*lost, *more, *removed]
    if wrong:
        return Check("versions", Verdict.FAIL, "; ".join(wrong[:6]))
    return Check("versions", Verdict.PASS, f"exactly the {len(planned)} planned changes")


def _logged(changes: Iterable[Change], results: Results) -> Check:
    logged = set(results.of("logged", 2))
    silent = [c.key for c in changes if (c.key, c.after) not in logged]
    errors = [line for (line,) in results.of("apt-error", 1)]
    if errors:
        return Check("package manager's log", Verdict.FAIL, "; ".join(errors[:3]))
    return _empty("package manager's log", silent, "names every change", "are not in it")


def _new_configuration(results: Results) -> Iterable[Check]:
    for (path,) in results.of("new-config", 1):
        yield Check(
            "configuration kept",
            Verdict.PASS,
            f"the package's new version is in {path}; merge it by hand",
        )


def _foreign_configuration(
    decisions: Iterable[tuple[str, ...]], keeps_changed: bool
) -> Iterable[Check]:
    for what, path in decisions:
        if what == "kept":
            yield Check("configuration kept", Verdict.PASS, f"{path} was changed by somebody else")
        if what == "conflict":
            yield Check(
                "configuration kept",
                Verdict.PASS if keeps_changed else Verdict.INCONCLUSIVE,
                f"{path} was changed by the patch and by somebody else since; compare it by hand",
            )


def _empty(name: str, found: list[str], well: str, ill: str) -> Check:
    if not found:
        return Check(name, Verdict.PASS, well)
    more = f" and {len(found) - 6} more" if len(found) > 6 else ""
    return Check(name, Verdict.FAIL, f"{', '.join(found[:6])}{more} {ill}")
