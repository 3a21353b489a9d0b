"""Runs suites of tests on a twin: goss and commands inside of it, testinfra from here, over SSH.

A suite is written out anew for each run, from what was read at the start of the rehearsal, so all
runs are of the same tests, and none finds what an earlier one left behind.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from suture.core.evidence import Check, Verdict
from suture.core.policies.suites import SuiteKind
from suture.core.suites import Suite, SuiteRun, baseline, compare, unsound
from suture.hosts.commands import run_command
from suture.hosts.shell import program
from suture.hosts.steps import conclude
from suture.hosts.text import clean
from suture.hosts.transport import Transport
from suture.reading import UnreadableError
from suture.twin.suite_results import ADDRESS, MOST_BYTES, of_goss, of_junit

_GRACE_S = 60.0
_TIME_OVER = (124, 137)  # of timeout, after TERM and after KILL
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONFIGURATION = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")


class Reachable(Protocol):
    """A twin. ``ssh`` writes into a directory what ``ssh -F`` reads to reach it as ``twin``."""

    def connect(self) -> AbstractAsyncContextManager[Transport]: ...

    def ssh(self, directory: Path) -> AbstractAsyncContextManager[Path]: ...


@dataclass
class SuiteTrial:
    """The suites on one twin, in every state; ``checks`` are what they said so far."""

    suites: tuple[Suite, ...] = ()
    twin: Reachable | None = None
    on_stage: Callable[[str], None] = lambda _: None
    _before: tuple[SuiteRun, ...] = ()
    _checks: dict[str, Check] = field(default_factory=dict)

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(self._checks.values())

    async def before(self) -> str:
        """Run them on the twin as it is before the patch. Why they can prove nothing; empty where
        they can. Raises HostError."""
        self._before = await self._run("before the patch")
        self._keep(baseline(self._before))
        return unsound(self._before)

    async def compare(self, when: str) -> tuple[Verdict, str]:
        """Run them again; a test that passed before has to pass. Raises HostError."""
        checks = compare(self._before, await self._run(when), when)
        self._keep(checks)
        verdict, reason = conclude(checks)
        return verdict, f"suites: {reason}" if reason else ""

    async def _run(self, when: str) -> tuple[SuiteRun, ...]:
        runs = []
        for suite in self.suites:
            assert self.twin
            self.on_stage(f"running the suite {suite.name} {when}")
            runs.append(await run_suite(suite, self.twin))
        return tuple(runs)

    def _keep(self, checks: Sequence[Check]) -> None:
        self._checks.update((check.name, check) for check in checks)


async def run_suite(suite: Suite, twin: Reachable) -> SuiteRun:
    """What cannot be run is trouble, and no failure. Raises HostError where the twin is away."""
    try:
        if suite.kind is SuiteKind.TESTINFRA:
            return await _testinfra(suite, twin)
        async with twin.connect() as way:
            return await _on_twin(suite, way)
    except UnreadableError as error:
        return SuiteRun(suite.name, trouble=clean(error.message, 300))
    except OSError as error:
        return SuiteRun(suite.name, trouble=clean(str(error), 300))


async def _on_twin(suite: Suite, way: Transport) -> SuiteRun:
    goss = await _place(suite.goss, way) if suite.goss else ""
    script = program(
        *("common", "suite"),
        KIND=suite.kind.value,
        ENTRY=suite.entry,
        GOSS=goss,
        LIMIT_S=int(suite.timeout_s),
        MOST=MOST_BYTES + 1,
    )
    archive = await asyncio.to_thread(_archive, suite)
    result = await way.run(script, stdin=archive, timeout_s=suite.timeout_s + _GRACE_S)
    head, _, output = result.stdout.partition(b"\n")
    said, _, rest = head.partition(b" ")
    if said != b"ran" or not rest.isdigit():
        why = clean(rest if said == b"trouble" else result.stderr, 300)
        return SuiteRun(suite.name, trouble=why or "the twin did not say how it ended")
    status = int(rest[:4])
    if suite.kind is SuiteKind.COMMAND:
        return SuiteRun(suite.name, (_command(suite, status, output),))
    if status in _TIME_OVER:
        return SuiteRun(suite.name, trouble=_time_over(suite))
    try:
        return SuiteRun.of(suite.name, of_goss(output))
    except UnreadableError:
        if status == 0 or output.lstrip().startswith(b"{"):
            raise
        return SuiteRun(suite.name, trouble=f"goss says: {clean(output[-300:], 300)}")


def _command(suite: Suite, status: int, output: bytes) -> Check:
    if status == 0:
        return Check("", Verdict.PASS, "exit status 0")
    if status in _TIME_OVER:
        return Check("", Verdict.FAIL, _time_over(suite))
    return Check("", Verdict.FAIL, f"exit status {status}: {clean(output[-300:], 300)}")


async def _place(goss: bytes, way: Transport) -> str:
    """The path of the program on the twin, where it is copied to once."""
    path = f"/var/lib/suture/goss-{hashlib.sha256(goss).hexdigest()[:16]}"
    there = await way.run(f"mkdir -p /var/lib/suture && [ -x {path} ]\n")
    if there.exit:
        await way.put(goss, path, mode=0o700)
    return path


def _archive(suite: Suite) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for file in suite.files:
            member = tarfile.TarInfo(file.path)
            member.size = len(file.content)
            member.mode = 0o755 if file.executable else 0o644
            archive.addfile(member, io.BytesIO(file.content))
    return buffer.getvalue()


async def _testinfra(suite: Suite, twin: Reachable) -> SuiteRun:
    with tempfile.TemporaryDirectory(prefix="suture-suite-") as name:
        directory = Path(name)
        root = directory / "suite"
        await asyncio.to_thread(_write_out, suite, root)
        way = directory / "way"
        way.mkdir(mode=0o700)
        async with twin.ssh(way) as config:
            report = directory / "junit.xml"
            status, output = await run_command(
                (
                    *(suite.python, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                    *(f"--rootdir={root}", f"--hosts={ADDRESS}", f"--ssh-config={config}"),
                    *(f"--junit-xml={report}", suite.entry or "."),
                ),
                {
                    "PATH": _PATH,
                    "HOME": name,
                    "TMPDIR": name,
                    "LC_ALL": "C.UTF-8",
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "PYTHONNOUSERSITE": "1",
                },
                timeout_s=suite.timeout_s,
                cwd=str(root),
                leave_running=False,
            )
        if status is None:
            return SuiteRun(suite.name, trouble=_time_over(suite))
        try:
            with report.open("rb") as file:
                found = of_junit(file.read(MOST_BYTES + 1))
        except FileNotFoundError:
            why = f"pytest ended with {status} and no report: {clean(output[-300:], 300)}"
            return SuiteRun(suite.name, trouble=why)
    return SuiteRun.of(suite.name, found)


def _write_out(suite: Suite, root: Path) -> None:
    """With an empty configuration where the suite has none, or pytest would look further up."""
    root.mkdir()
    for file in suite.files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(0o755 if file.executable else 0o644)
    if not any((root / name).exists() for name in _CONFIGURATION):
        (root / "pytest.ini").touch()


def _time_over(suite: Suite) -> str:
    return f"no end within {suite.timeout_s:g} s"
