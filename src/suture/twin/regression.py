"""Whether what earlier rollouts achieved outlives the patch: what they closed, the configuration
that they changed, and the controls that are in force.

A twin is looked at before the patch, with it, and after the way back. What was amiss before the
patch is not its doing and is said as such.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from suture.core.assessment.findings import FindingState
from suture.core.assessment.matching import match
from suture.core.controls import Control
from suture.core.documents import Document
from suture.core.evidence import Check, Verdict
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import Host
from suture.hosts.controls import control_functions
from suture.hosts.facts import collect
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import read_query
from suture.hosts.transport import Transport

_MOST_PATHS = 2000
_MOST_NAMED = 6


class FileState(Document, frozen=True):
    """``state`` is type, mode, owner and content, empty for none. ``own``: as its package brings
    it."""

    state: str
    own: bool


class Snapshot(Document, frozen=True):
    """``open`` is CVE → the source package in which it is open. ``unread`` says what could not be
    looked at, and why; empty where all was."""

    open: Mapping[str, str]
    files: Mapping[str, FileState]
    controls: Mapping[str, Check]
    unread: str = ""


@dataclass(frozen=True)
class Regression:
    """What earlier rollouts left on a host. ``index`` is what is known of vulnerabilities,
    ``paths`` the configuration that they changed."""

    host: Host
    closed: tuple[str, ...]
    controls: tuple[Control, ...]
    paths: tuple[str, ...]
    index: AdvisoryIndex

    @property
    def is_empty(self) -> bool:
        return not (self.closed or self.controls or self.paths)

    async def look(self, session: PatchSession, now: Callable[[], datetime]) -> Snapshot:
        """How it is on the session's twin. Raises HostError."""
        plan = msgspec.structs.replace(session.plan, controls=self.controls)
        looking = PatchSession(plan, session.plan_id, session.connect, now)
        looking.settings = session.settings
        try:
            settings = [one.setting.file for one in self.controls if one.setting]
            paths, own = "\n".join((*self.paths, *settings)), "\n".join(settings)
            head = program("common", "query", "state", PLAN="", PATHS=paths, SETTINGS=own)
            script = head + control_functions(looking) + program("earlier-files")
            results, failed = read_query(await looking.query(script))
        finally:
            await looking.close()
        return Snapshot(
            open=await self._open(session, now),
            files={
                path: FileState(state, own == "own") for path, state, own in results.of("file", 3)
            },
            controls={check.name: check for check in results.checks},
            unread=failed.reason if failed else "",
        )

    async def _open(self, session: PatchSession, now: Callable[[], datetime]) -> Mapping[str, str]:
        if not self.closed:
            return {}
        async with session.connect() as way:
            inventory = await collect(way, self.host, now=now, nonce=secrets.token_hex(16))
        found = match(inventory, self.index)
        # What still runs in memory is the code that was replaced, and that had the fix already.
        return {one.cve: one.source for one in found if one.state is not FindingState.RESTART}


async def changed_earlier(transport: Transport) -> tuple[str, ...]:
    """The configuration that earlier patches changed, from the host's own return bundles.

    Raises HostError.
    """
    result = await transport.run(program("common", "earlier-bundles"))
    lines = result.stdout.decode("utf-8", "replace").splitlines()[:_MOST_PATHS]
    return tuple(line for line in lines if line.startswith("/") and line.isprintable())


def judge_patched(
    closed: tuple[str, ...], set_by_plan: Collection[str], before: Snapshot, after: Snapshot
) -> tuple[Check, ...]:
    """The twin with the patch against the twin before it. ``set_by_plan`` are files that the
    plan's own controls write."""
    return (
        *_read("with the patch", before, after),
        *_vulnerabilities(closed, before, after),
        *_files("configuration changed earlier", set_by_plan, before, after, renewable=True),
        *_controls(before, after),
    )


def judge_returned(before: Snapshot, after: Snapshot) -> tuple[Check, ...]:
    """The twin after the way back against the twin at its start: all as it was."""
    wrong = sorted(after.open.keys() ^ before.open.keys())
    found = [*_read("after the way back", before, after)]
    if before.open or after.open:
        found.append(_check("open vulnerabilities after the way back", wrong, "as at the start"))
    name = "configuration changed earlier, after the way back"
    return (*found, *_files(name, (), before, after, renewable=False))


def reopened(closed: Iterable[str], before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """The source packages in which the patch opened again what was closed."""
    again = set(closed) & (after.open.keys() - before.open.keys())
    return tuple(sorted({after.open[cve] for cve in again}))


def _read(when: str, *snapshots: Snapshot) -> Iterable[Check]:
    for one in snapshots:
        if one.unread:
            yield Check(f"what earlier rollouts did, {when}", Verdict.INCONCLUSIVE, one.unread)
            return


def _vulnerabilities(closed: tuple[str, ...], before: Snapshot, after: Snapshot) -> Iterable[Check]:
    if not closed:
        return
    open_before = [cve for cve in closed if cve in before.open]
    again = [
        f"{cve} ({after.open[cve]})"
        for cve in closed
        if cve in after.open and cve not in before.open
    ]
    well = f"{len(closed) - len(open_before)} are still closed"
    if open_before:
        well += f"; open before the patch already: {_names(open_before)}"
    yield _check("vulnerabilities closed earlier", again, well, "open again")


def _files(
    name: str, but: Collection[str], before: Snapshot, after: Snapshot, *, renewable: bool
) -> Iterable[Check]:
    """``renewable``: a file that was and is as its package brings it may be another one."""
    if not before.files:
        return
    gone = FileState("", own=False)
    now = {path: after.files.get(path, gone) for path in before.files if path not in but}
    changed = [path for path, state in now.items() if state.state != before.files[path].state]
    renewed = [path for path in changed if renewable and before.files[path].own and now[path].own]
    well = f"{len(before.files)} files are as they were"
    if renewed:
        well += f", but for what their packages bring anew: {_names(renewed)}"
    yield _check(name, [path for path in changed if path not in renewed], well)


def _controls(before: Snapshot, after: Snapshot) -> Iterable[Check]:
    for name, then in before.controls.items():
        now = after.controls.get(name)
        if then.verdict is not Verdict.PASS:
            yield Check(
                f"{name}, in force", Verdict.PASS, f"not so before the patch: {then.detail}"
            )
        elif now is None:
            yield Check(f"{name}, in force", Verdict.INCONCLUSIVE, "gave no answer")
        else:
            yield Check(f"{name}, in force", now.verdict, now.detail)


def _check(name: str, wrong: list[str], well: str, ill: str = "not as they were") -> Check:
    if wrong:
        return Check(name, Verdict.FAIL, f"{ill}: {_names(wrong)}")
    return Check(name, Verdict.PASS, well)


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more
