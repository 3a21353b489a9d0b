"""The way back: the host as its return bundle recorded it."""

from __future__ import annotations

from datetime import UTC, datetime

from suture.core.documents import Document
from suture.core.evidence import Step, StepReport
from suture.core.planning.restarts import LEFT_RUNNING
from suture.core.rollout.ways_back import Refusal
from suture.hosts.controls import control_functions
from suture.hosts.data import data_functions, dump_seconds
from suture.hosts.results import Results
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.snapshots import restore_snapshots
from suture.hosts.steps import Outcome, conclude, package_table, perform, read_query, settle
from suture.hosts.transport import FailureKind, HostError, HostFailure

_NONE = "-"


class Restored(Document, frozen=True):
    """A package (``nginx:amd64``) that would go back; None is not installed."""

    package: str
    now: str | None
    before: str | None


class Refused(Document, frozen=True):
    """Why a host may not go back."""

    kind: Refusal
    reason: str


class Preview(Document, frozen=True):
    """What a way back would do on a host. Files by what would become of them: ``kept`` were changed
    by somebody else alone, ``conflicts`` by the patch and by somebody since."""

    host: str
    made_at: datetime | None = None
    packages: tuple[Restored, ...] = ()
    restored: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    refusals: tuple[Refused, ...] = ()


def way_back_functions(session: PatchSession) -> str:
    """What the scripts of the way back share: its state, its rules and what was asked for."""
    asked = session.way_back
    functions = program(
        "common",
        "state",
        "apt",
        "stale",
        "restart",
        "decisions",
        "reading",
        "way-back",
        "snapshots",
        LEFT_RUNNING=LEFT_RUNNING,
        PLAN=package_table(session.plan),
        RETURN_ID=session.bundle_id,
        LOCK_WAIT_S=session.settings.lock_wait_s,
        ASKED=int(asked is not None),
        NARROW=int(asked is not None and asked.is_partial),
        ACCEPT=" ".join(asked.accepted) if asked else "",
        DATA=int(asked is not None and asked.with_data),
        SNAPSHOT=int(asked is not None and asked.snapshot),
    )
    return functions + control_functions(session) + data_functions(session.plan)


async def roll_back(session: PatchSession) -> StepReport:
    """Put packages, configuration, marks, services and controls back as they were before.

    Refused where somebody has changed the same packages since and, where a person asked for it,
    for every other :class:`Refusal` as well. Works on a half-configured host: where apt sees no
    way, dpkg installs the old packages by name.
    """

    async def body() -> Outcome:
        if session.way_back and session.way_back.snapshot:
            return await restore_snapshots(session, way_back_functions(session))
        script = way_back_functions(session) + program(
            "updaters", "locks", "rollback", PAUSE_UPDATERS=int(session.settings.pause_updaters)
        )
        receipt = await session.transact(Step.ROLL_BACK, script, more_s=dump_seconds(session.plan))
        results, failed = settle(receipt)
        if failed:
            return failed
        checks = (*results.checks, *results.notes)
        verdict, reason = conclude(checks)
        return Outcome(verdict, reason, changed_host=True, checks=checks, log=receipt.log)

    return await perform(session, Step.ROLL_BACK, body, transaction=True, mutates=True)


async def preview(session: PatchSession) -> Preview:
    """Ask the host what its way back would do now; changes nothing. Raises HostError."""
    script = way_back_functions(session) + program("query", "preview-rollback")
    result = await session.query(script, timeout_s=300)
    results, failed = read_query(result)
    if failed:
        raise HostError(
            HostFailure(
                host=session.host,
                kind=FailureKind.UNSUPPORTED,
                message=f"the way back could not be looked at: {failed.reason}",
                remedy="Look at the host, then try again.",
            )
        )
    return judge_preview(session.host, results)


def judge_preview(host: str, results: Results) -> Preview:
    """What the host's answers mean; a refusal of an unknown kind is one of no kind that could be
    accepted."""
    files: dict[str, list[str]] = {}
    for what, path in results.of("config", 2):
        files.setdefault(what, []).append(path)
    made = results.first("made")
    return Preview(
        host=host,
        made_at=_time(made),
        packages=tuple(
            Restored(key, None if now == _NONE else now, None if before == _NONE else before)
            for key, now, before in results.of("back", 3)
        ),
        restored=tuple(files.get("restore", ())),
        removed=tuple(files.get("remove", ())),
        kept=tuple(files.get("kept", ())),
        conflicts=tuple(files.get("conflict", ())),
        refusals=tuple(Refused(_kind(kind), why) for kind, why in results.of("refusal", 2)),
    )


def _kind(word: str) -> Refusal:
    try:
        return Refusal(word)
    except ValueError:
        return Refusal.NO_BUNDLE


def _time(text: str) -> datetime | None:
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        return None
    return datetime.fromtimestamp(int(text), UTC)
