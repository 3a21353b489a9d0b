"""Snapshots that a hypervisor or a cloud takes, by commands of the user's on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.inventory import Host
from suture.core.policies.backup import SnapshotHookPolicy
from suture.core.words import seconds
from suture.hosts.text import clean

CHECK = "snapshot of the machine"

_ID = re.compile(r"[\x21-\x7e]{1,200}")
_MOST_OUTPUT = 64 * 1024


class Said(Document, frozen=True):
    """What a command printed; ``problem`` is empty where it ended with status 0 in time."""

    output: str
    problem: str


async def take(
    hook: SnapshotHookPolicy, host: Host, rollout: str, report: StepReport
) -> StepReport:
    """The report of the bundle step with the snapshot's id among its checks; without an id, or
    with one that ``list`` does not know, the step has failed."""
    named = _environment(host, rollout, report.transaction)
    said = await _run(hook.command, named, seconds(hook.timeout))
    found, problem = said.output.partition("\n")[0].strip(), said.problem
    if not problem and not _ID.fullmatch(found):
        problem = "it printed no id"
    if not problem and hook.list:
        listed = await _run(hook.list, named | {"SUTURE_SNAPSHOT": found}, seconds(hook.timeout))
        if listed.problem or found not in listed.output.split():
            problem = f"its list does not name {found}; {listed.problem}"
    if problem:
        why = f"no snapshot of the machine: {problem}; nothing was changed; see snapshot_hooks"
        check = Check(CHECK, Verdict.FAIL, problem)
        return replace(report, verdict=Verdict.FAIL, reason=why, checks=(*report.checks, check))
    return replace(report, checks=(*report.checks, Check(CHECK, Verdict.PASS, found)))


def taken(reports: Sequence[StepReport], host: str) -> str:
    """The id of the host's last snapshot in a rollout's reports, empty for none."""
    found = [
        check.detail
        for report in reports
        if report.host == host and report.step is Step.BUNDLE
        for check in report.checks
        if check.name == CHECK and check.verdict is Verdict.PASS
    ]
    return found[-1] if found else ""


async def restore(hook: SnapshotHookPolicy, host: Host, rollout: str, snapshot: str) -> str:
    """Why the machine could not be brought back to ``snapshot``, empty where it was."""
    if not hook.restore:
        return "the policy's snapshot hook has no restore command"
    named = _environment(host, rollout, "") | {"SUTURE_SNAPSHOT": snapshot}
    return (await _run(hook.restore, named, seconds(hook.timeout))).problem


def _environment(host: Host, rollout: str, transaction: str) -> dict[str, str]:
    return {
        "SUTURE_HOST": host.name,
        "SUTURE_ADDRESS": host.address,
        "SUTURE_ROLLOUT": rollout,
        "SUTURE_TRANSACTION": transaction,
    }


async def _run(command: str, named: Mapping[str, str], limit_s: float) -> Said:
    """The command in a process group of its own, which ends with it."""
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **named},
        start_new_session=True,
    )
    assert process.stdout and process.stderr
    try:
        async with asyncio.timeout(limit_s):
            output, errors, status = await asyncio.gather(
                _read(process.stdout), _read(process.stderr), process.wait()
            )
    except TimeoutError:
        return Said("", f"it was not finished after {limit_s:g} s")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    why = f"it ended with status {status}: {clean(errors[-600:])}" if status else ""
    return Said(output.decode("utf-8", "replace"), why)


async def _read(stream: asyncio.StreamReader) -> bytes:
    """All of it is read, so that nobody waits; the beginning is kept."""
    kept = b""
    while chunk := await stream.read(8192):
        kept += chunk[: _MOST_OUTPUT - len(kept)]
    return kept
