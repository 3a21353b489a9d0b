"""Evidence: the event log proved whole, and everything about a rollout in one archive."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import msgspec

from suture.core import chain
from suture.core.chain import ChainVerdict
from suture.core.documents import encode
from suture.services import fleet
from suture.services.errors import ServiceError
from suture.services.rollouts import get
from suture.services.workspace import Workspace
from suture.store import events, plans, rollouts

_README = """\
What was planned, rehearsed, done and seen in one rollout of Suture.

  plan.json              the plan; its id is derived from its content
  rehearsals/            one file for each rehearsal of the plan, with logs
  rollout.json           how the rollout ended, host by host
  reports/HOST/          each step on each host, with the end of its log
  events.jsonl           the whole event log up to the export, one event a line
  SHA256SUMS             of all of these: sha256sum --check SHA256SUMS

The log is a hash chain: `hash` of an event is the SHA-256 of its canonical JSON with `hash` empty,
and `previous` is the hash of the event before it. A chain cannot show that its end is missing:
compare the head below with one that was kept elsewhere.
"""


def verify(workspace: Workspace) -> ChainVerdict:
    """Whether the whole event log is as it was written."""
    with fleet.opened(workspace) as store, store.read() as connection:
        return chain.verify(events.stream(connection))


def export(workspace: Workspace, rollout_id: str, path: Path | None) -> tuple[Path, ChainVerdict]:
    """Write the archive (``.tar.gz``); the same rollout state gives the same bytes.

    Raises :class:`ServiceError` where the file exists already.
    """
    with fleet.opened(workspace) as store:
        rollout = get(store, rollout_id)
        target = path or Path(f"suture-evidence-{rollout.id}.tar.gz")
        with store.read() as connection:
            log = list(events.stream(connection))
            verdict = chain.verify(log)
            plan = plans.get(connection, rollout.plan)
            reports = rollouts.step_reports(connection, rollout.id)
            rehearsed = plans.rehearsal_documents(connection, rollout.plan)
    files = {
        "README": f"{_README}\nHead: {verdict.head} ({verdict.events} events)\n".encode(),
        "plan.json": _pretty(encode(plan)),
        "rollout.json": _pretty(encode(rollout)),
        "events.jsonl": b"".join(encode(event) + b"\n" for event in log),
    }
    for number, document in enumerate(rehearsed, 1):
        files[f"rehearsals/{number:03}.json"] = _pretty(document)
    for number, report in enumerate(reports, 1):
        host = "".join(c if c.isalnum() or c in "._-" else "_" for c in report.host).lstrip(".")
        files[f"reports/{host}/{number:04}-{report.step.value}.json"] = _pretty(encode(report))
    sums = (f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in files.items())
    files["SHA256SUMS"] = "".join(sums).encode()
    try:
        with target.open("xb") as file:
            _write(file, f"suture-evidence-{rollout.id}", files, rollout.started_at.timestamp())
    except FileExistsError:
        raise ServiceError(f"{target} exists already", "Name another file with --output.") from None
    return target, verdict


def _pretty(document: bytes) -> bytes:
    return msgspec.json.format(document, indent=2) + b"\n"


def _write(file: io.BufferedWriter, root: str, files: dict[str, bytes], mtime: float) -> None:
    """A gzipped tar without anything that differs from run to run."""
    import gzip

    with (
        gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for member, data in _members(root, files, int(mtime)):
            archive.addfile(member, io.BytesIO(data))


def _members(
    root: str, files: dict[str, bytes], mtime: int
) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    for name, data in sorted(files.items()):
        member = tarfile.TarInfo(f"{root}/{name}")
        member.size, member.mtime, member.mode = len(data), mtime, 0o600
        yield member, data
