"""OpenSCAP on the enrolled hosts that have it, kept as one scanner's report a run.

A host's results are foreign text: they are read within limits, and count for the host that gave
them alone, whatever host they name.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.inventory import Host
from suture.core.scanners.scanner import Scanner, ScannerHost, ScannerRecord, ScannerState
from suture.hosts import openscap
from suture.hosts.openscap import Evaluation
from suture.hosts.transport import FailureKind, HostError, HostFailure
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.settings import Ask
from suture.imports import openscap as results
from suture.imports.scanners import Format
from suture.reading import UnreadableError
from suture.services import fleet, importing, policies
from suture.services.collecting import Progress, clock, nonce
from suture.services.connections import connector
from suture.services.errors import ServiceError
from suture.services.workspace import Workspace

MAX_CHECKS = 20_000  # of one host; the largest profiles have about two thousand

_FORMAT = Format(Scanner.OPENSCAP, "ARF", results.of_xml)
_FAILED = (ScannerState.VULNERABILITY, ScannerState.CONFIGURATION)


class Evaluated(Document, frozen=True):
    """What one host's evaluation came to, in checks. ``other``: not applicable, not selected, or
    carried out by nobody. ``failure``: why there is none; its numbers are zero then."""

    host: str
    content: str = ""
    passed: int = 0
    failed: int = 0
    undecided: int = 0
    other: int = 0
    failure: HostFailure | None = None


class ScapRun(Document, frozen=True):
    """``report`` is the number of the kept report, None where no host gave any result."""

    profile: str
    report: int | None
    hosts: tuple[Evaluated, ...]

    @property
    def exit_code(self) -> int:
        """3 where a host could not be assessed, 1 where a check failed, else 0."""
        if any(one.failure or one.undecided for one in self.hosts):
            return 3
        return 1 if any(one.failed for one in self.hosts) else 0


async def run(
    workspace: Workspace,
    *,
    names: Sequence[str],
    labels: Sequence[str],
    profile: str,
    content: str,
    limit_s: int,
    accept_new: bool,
    ask: Ask | None,
    progress: Progress,
) -> ScapRun:
    """Evaluate ``profile`` on enrolled hosts, of ``content`` (a path on the hosts) where it is
    given, else of the SCAP Security Guide for each host's release.

    Raises :class:`ServiceError` for words that are none, or where no host is chosen.
    """
    if not openscap.is_profile(profile):
        raise ServiceError(f"not a profile: {profile!r:.80}", "Write its id, or how that ends.")
    if content and not openscap.is_content(content):
        raise ServiceError(f"not the path of a file: {content!r:.200}", "Write it in full.")
    hosts = fleet.chosen(workspace, names=names, labels=labels)
    policy, _ = policies.load(workspace, None)
    wanted = Evaluation(content, profile, limit_s)
    with tempfile.TemporaryDirectory(dir=workspace.home, prefix="openscap-") as place:
        files = [Path(place) / f"results-{number}" for number in range(len(hosts))]
        ways = connector(workspace, ask=ask, accept_new=accept_new, concurrency=policy.concurrency)
        async with ways:
            work = (
                _evaluate(ways, host, wanted, file, progress)
                for host, file in zip(hosts, files, strict=True)
            )
            done = await asyncio.gather(*work)
        return _keep(workspace, profile, dict(zip(files, done, strict=True)), progress)


async def _evaluate(
    ways: Connector, host: Host, wanted: Evaluation, file: Path, progress: Progress
) -> Evaluated:
    """The packed results in ``file``, or the reason why there are none."""
    progress(host.name, "connecting")
    try:
        async with ways.connect(host) as transport:
            found = await openscap.find_content(transport, wanted=wanted.content, nonce=nonce())
            progress(host.name, f"evaluating {wanted.profile}")
            with file.open("xb") as into:
                await openscap.evaluate(transport, replace(wanted, content=found), into)
    except HostError as error:
        progress(host.name, "failed")
        return Evaluated(host.name, failure=error.failure)
    progress(host.name, "collected")
    return Evaluated(host.name, found)


def _keep(
    workspace: Workspace, profile: str, done: dict[Path, Evaluated], progress: Progress
) -> ScapRun:
    reading = _Reading(done)
    came = {file: one for file, one in done.items() if one.failure is None}
    number = None
    if came:
        sha256 = hashlib.sha256()
        for file, one in came.items():
            sha256.update(one.host.encode() + hashlib.sha256(file.read_bytes()).digest())
        name = f"oscap {profile}"
        with fleet.opened(workspace) as store:
            try:
                report = importing.keep(
                    store, workspace, name, _FORMAT, sha256.hexdigest(), reading.records(), progress
                )
                number = report.id
            except UnreadableError as error:
                if any(one.failure is None for one in reading.done.values()):
                    raise ServiceError(error.message, "Choose fewer hosts at once.") from error
    return ScapRun(profile, number, tuple(reading.done.values()))


class _Reading:
    """The hosts' results one after another; ``done`` is complete once all were read."""

    def __init__(self, done: dict[Path, Evaluated]) -> None:
        self.done = dict(done)
        self._now = clock()

    def records(self) -> Iterator[ScannerRecord]:
        """A host whose results cannot be read leaves none of them."""
        for file, one in self.done.items():
            if one.failure is not None:
                continue
            try:
                found = self._read(file, one.host)
            except UnreadableError as error:
                self.done[file] = Evaluated(one.host, one.content, failure=_unread(one, error))
                continue
            self.done[file] = _counted(one, found)
            yield from found

    def _read(self, file: Path, host: str) -> list[ScannerRecord]:
        """By our clock and about this host, whatever they say of themselves."""
        seen = ScannerHost(names=(host,), credentialed=True, enrolled=host)
        read = results.of_xml(file, limit=openscap.MAX_RESULTS)
        found = [
            replace(record, host=seen, seen_at=self._now) for record in islice(read, MAX_CHECKS + 1)
        ]
        if len(found) > MAX_CHECKS:
            raise UnreadableError(f"it has more than {MAX_CHECKS} checks")
        if all(record.state is ScannerState.INFORMATION for record in found):
            raise UnreadableError("no check of the profile applies to the host")
        return found


def _counted(one: Evaluated, found: Sequence[ScannerRecord]) -> Evaluated:
    states = Counter(record.state for record in found)
    return replace(
        one,
        passed=states[ScannerState.CLOSED],
        failed=sum(states[state] for state in _FAILED),
        undecided=states[ScannerState.UNKNOWN],
        other=states[ScannerState.INFORMATION],
    )


def _unread(one: Evaluated, error: UnreadableError) -> HostFailure:
    return HostFailure(
        host=one.host,
        kind=FailureKind.MALFORMED,
        message=f"its results cannot be used: {error.message}",
        remedy=f"Look at them on the host: oscap xccdf eval {one.content}",
    )
