"""The health checks on a twin before the patch: what fails there already is not held against it."""

from __future__ import annotations

from suture.core.evidence import Check, Verdict
from suture.core.inventory import HealthCheck
from suture.hosts.health import check_health
from suture.hosts.session import PatchSession

_WAIT_S = 30


async def ask_baseline(session: PatchSession) -> tuple[Check, ...]:
    """The plan's checks now; services get some time to come up. Raises HostError."""
    checks = session.plan.checks
    if not checks:
        return ()
    found = await check_health(session, checks, wait_s=_WAIT_S)
    return tuple(_not_counted(check) for check in found)


def sound_checks(
    checks: tuple[HealthCheck, ...], baseline: tuple[Check, ...]
) -> tuple[HealthCheck, ...]:
    """Those that can tell anything about the patch."""
    passing = zip(checks, baseline, strict=True)
    return tuple(check for check, before in passing if before.verdict is Verdict.PASS)


def _not_counted(check: Check) -> Check:
    if check.verdict is Verdict.PASS:
        return check
    return Check(
        check.name,
        Verdict.INCONCLUSIVE,
        f"fails on the twin before the patch, perhaps for want of data: {check.detail}",
    )
