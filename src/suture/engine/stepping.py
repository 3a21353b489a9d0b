"""From one step of a host to its next: what was found out by the one is written together with the
beginning of the other, and for as many hosts as wait, in a few statements for all of them.

Every report names the fence under which it came about, and only the host's newest is accepted:
a worker that was given up and wakes up again records nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from msgspec.structs import asdict, replace

from suture.core.documents import digest
from suture.core.evidence import Step, StepReport
from suture.engine.work import HostWork
from suture.store import events, rollouts, workers


class SupersededError(Exception):
    """Another worker has the host now; what this one found out is not recorded."""


class StepFinished(StepReport, frozen=True):
    """A report as the event log holds it: without the host's output, but with the digest of the
    whole report, so that this cannot be changed either."""

    attempt: int = 0
    fence: int = 0
    report_sha256: str = ""


class StepChange(NamedTuple):
    """``report`` came about under ``fence``, None before the first step that is taken here.
    ``step`` is what is taken next, None where nothing is."""

    work: HostWork
    step: Step | None
    report: StepReport | None = None
    fence: int = 0


def write(
    connection: sa.Connection, worker: str, changes: Sequence[StepChange], now: datetime
) -> list[int | SupersededError]:
    """For each change the fence for taking its next step, 0 where there is none, or why it was
    not written.

    Only for a worker that is listed, which :class:`~suture.engine.writing.Writer` sees to in the
    same transaction: otherwise one that was only frozen could get a fence above that of its
    successor.
    """
    answers: list[int | SupersededError] = [0] * len(changes)
    for numbers in _once_a_host(changes):
        some = [changes[number] for number in numbers]
        for number, answer in zip(numbers, _write(connection, worker, some, now), strict=True):
            answers[number] = answer
    return answers


def _once_a_host(changes: Sequence[StepChange]) -> Iterator[list[int]]:
    """The changes' numbers in parts that name no host twice, each host's in their order."""
    left = list(range(len(changes)))
    while left:
        first = {changes[number].work.host: number for number in reversed(left)}
        part = set(first.values())
        yield sorted(part)
        left = [number for number in left if number not in part]


def _write(
    connection: sa.Connection, worker: str, changes: Sequence[StepChange], now: datetime
) -> list[int | SupersededError]:
    reported = [change.work.host for change in changes if change.report]
    held = workers.current_fences(connection, reported) if reported else {}
    accepted = [one for one in changes if not one.report or held.get(one.work.host) == one.fence]
    reports = [(one.work.rollout, one.work.attempt, one.report) for one in accepted if one.report]
    new = rollouts.save_reports(connection, reports) if reports else set()
    begun = [one.work.host for one in accepted if one.step]
    fences = workers.next_fences(connection, begun, worker) if begun else {}
    for change in accepted:
        work = change.work
        if change.report and (work.rollout, work.host, work.attempt, change.report.step) in new:
            _finished(connection, change, change.report, now)
        if change.step:
            data = {"step": change.step, "attempt": work.attempt, "fence": fences[work.host]}
            _tell(connection, "step.started", work, data, now)
    hosts = {one.work.host for one in accepted}
    return [
        (fences[host] if change.step else 0)
        if (host := change.work.host) in hosts
        else SupersededError(f"another worker has taken over {host}")
        for change in changes
    ]


def _finished(
    connection: sa.Connection, change: StepChange, report: StepReport, now: datetime
) -> None:
    told = StepFinished(
        **asdict(replace(report, log="")),
        attempt=change.work.attempt,
        fence=change.fence,
        report_sha256=digest(report),
    )
    _tell(connection, "step.finished", change.work, told, now)


def _tell(
    connection: sa.Connection, kind: str, work: HostWork, data: object, now: datetime
) -> None:
    events.append(connection, at=now, kind=kind, subject=work.rollout, host=work.host, data=data)
