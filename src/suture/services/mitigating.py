"""Keeping which controls are in force where: verified by a rollout, until they are taken back or
found otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from suture.core.assessment.mitigation import InForce
from suture.core.evidence import StepReport, Verdict
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase, RolloutState
from suture.store import controls
from suture.store.database import Store


def record_rollout(store: Store, plan: Plan, state: RolloutState, now: datetime) -> None:
    """A host that is done has verified its controls; on one that failed nothing is sure. Single
    packages that went back leave the controls as they are."""
    with_controls = {host.host: host.controls for host in plan.hosts if host.controls}
    if not with_controls:
        return
    with store.begin() as connection:
        for host in state.hosts:
            if host.host not in with_controls or (host.way_back and host.way_back.is_partial):
                continue
            if host.phase.is_failure:
                controls.end(connection, state.rollout, host.host, now)
            elif host.phase is HostPhase.DONE:
                for control in with_controls[host.host]:
                    begun = InForce(host.host, control, state.rollout, host.since or now)
                    controls.begin(connection, begun)


def record_checks(
    store: Store, plan: Plan, rollout: str, reports: Iterable[StepReport], now: datetime
) -> None:
    """What hosts said when they were asked again; one that did not answer changes nothing."""
    with store.begin() as connection:
        for report in reports:
            verdicts = {check.name: check.verdict for check in report.checks}
            for control in plan.host(report.host).controls:
                verdict = verdicts.get(f"control {control.id}")
                if verdict is Verdict.PASS:
                    found = InForce(report.host, control, rollout, now)
                    controls.begin(connection, found, again=True)
                elif verdict is not None:
                    controls.end(connection, rollout, report.host, now, control.id)
