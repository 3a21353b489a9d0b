"""Evidence: the event log proved whole, and everything about a rollout in one archive."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import sqlalchemy as sa

from suture.core import chain
from suture.core.documents import Document, decode, encode
from suture.core.evidence import Event
from suture.core.performance import Performance
from suture.reports.latency_svg import latency_svg
from suture.services import fleet
from suture.services.errors import ServiceError
from suture.services.rollouts import get
from suture.services.workspace import Workspace
from suture.store import drills, events, plans, rollouts
from suture.store.database import Store

_README = """\
What was planned, rehearsed, done and seen in one rollout of Suture.

  plan.json              the plan; its id is derived from its content
  rehearsals/            one file for each rehearsal of the plan or of its classes of hosts, and a
                         picture of the latencies where there was load
  rollout.json           how the rollout ended, host by host
  reports/HOST/          each step on each host, with the end of its log
  events.jsonl           the whole event log up to the export, one event a line
  SHA256SUMS             of all of these: sha256sum --check SHA256SUMS

The log is a hash chain: `hash` of an event is the SHA-256 of its canonical JSON with `hash` empty,
and `previous` is the hash of the event before it. A chain cannot show that its end is missing:
compare the head below with one that was kept elsewhere.
"""


class _Rehearsal(Document, frozen=True):
    """Of a stored rehearsal, what is read here."""

    performance: Performance | None = None


class EvidenceVerdict(Document, frozen=True):
    """The chain of the log as in :class:`suture.core.chain.ChainVerdict`. ``altered`` names the
    plans, rehearsals and reports that are missing, or not what the log says of them."""

    events: int
    head: str
    broken_at: int | None
    reason: str
    altered: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        return self.broken_at is None and not self.altered


def verify(workspace: Workspace) -> EvidenceVerdict:
    """Whether the whole event log, and all that it has digests of, is as it was written."""
    with fleet.opened(workspace) as store:
        return verify_store(store)


def verify_store(store: Store) -> EvidenceVerdict:
    """:func:`verify` for an open database."""
    with store.read() as connection:
        return _verify(connection, list(events.stream(connection)))


def _verify(connection: sa.Connection, log: Iterable[Event]) -> EvidenceVerdict:
    found = chain.verify(log)
    told, stored = dict(_told(log)), dict(_stored(connection))
    altered = sorted(
        name for name in told.keys() | stored.keys() if told.get(name) != stored.get(name)
    )
    return EvidenceVerdict(found.events, found.head, found.broken_at, found.reason, tuple(altered))


def _told(log: Iterable[Event]) -> Iterator[tuple[str, str]]:
    """What the log says of each record: its name, its digest."""
    for event in log:
        if event.kind == "plan.created":
            yield f"plan {event.subject}", event.subject
        elif event.kind == "rehearsal.finished":
            sha256 = str(_data(event).get("sha256"))
            yield f"rehearsal {sha256[:12]} of plan {event.subject}", sha256
        elif event.kind == "drill.finished":
            sha256 = str(_data(event).get("sha256"))
            yield f"drill {sha256[:12]} of {event.subject}", sha256
        elif event.kind == "step.finished":
            data = _data(event)
            name = _report_name(event.subject, event.host, data.get("attempt"), data.get("step"))
            yield name, str(data.get("report_sha256"))


def _stored(connection: sa.Connection) -> Iterator[tuple[str, str]]:
    for plan, document in plans.documents(connection):
        yield f"plan {plan}", _sha256(document)[: len(plan)]
    for plan, document in plans.all_rehearsal_documents(connection):
        yield f"rehearsal {_sha256(document)[:12]} of plan {plan}", _sha256(document)
    for host, document in drills.documents(connection):
        yield f"drill {_sha256(document)[:12]} of {host}", _sha256(document)
    for key, document in rollouts.report_documents(connection):
        yield _report_name(*key), _sha256(document)


def _report_name(rollout: str, host: str, attempt: object, step: object) -> str:
    return f"report of {step} on {host} in rollout {rollout} (attempt {attempt})"


def _data(event: Event) -> dict[str, object]:
    """A log that was tampered with may hold anything."""
    try:
        return msgspec.json.decode(event.data, type=dict[str, object])
    except (msgspec.DecodeError, RecursionError):
        return {}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def export(
    workspace: Workspace, rollout_id: str, path: Path | None
) -> tuple[Path, EvidenceVerdict]:
    """Write the archive (``.tar.gz``); the same rollout state gives the same bytes.

    Raises :class:`ServiceError` where the file exists already.
    """
    with fleet.opened(workspace) as store:
        rollout = get(store, rollout_id)
        target = path or Path(f"suture-evidence-{rollout.id}.tar.gz")
        with store.read() as connection:
            log = list(events.stream(connection))
            verdict = _verify(connection, log)
            plan = plans.get(connection, rollout.plan)
            reports = rollouts.step_reports(connection, rollout.id)
            classes = [host.class_id for host in plan.hosts] if plan else []
            rehearsed = plans.rehearsal_documents(connection, rollout.plan, classes)
    files = {
        "README": f"{_README}\nHead: {verdict.head} ({verdict.events} events)\n".encode(),
        "plan.json": _pretty(encode(plan)),
        "rollout.json": _pretty(encode(rollout)),
        "events.jsonl": b"".join(encode(event) + b"\n" for event in log),
    }
    for number, document in enumerate(rehearsed, 1):
        files[f"rehearsals/{number:03}.json"] = _pretty(document)
        if picture := _picture(document):
            files[f"rehearsals/{number:03}-latency.svg"] = picture.encode()
    for number, report in enumerate(reports, 1):
        host = "".join(c if c.isalnum() or c in "._-" else "_" for c in report.host).lstrip(".")
        files[f"reports/{host}/{number:04}-{report.step.value}.json"] = _pretty(encode(report))
    sums = (f"{_sha256(data)}  {name}\n" for name, data in files.items())
    files["SHA256SUMS"] = "".join(sums).encode()
    try:
        with open(target, "xb", opener=_for_its_owner) as file:
            _write(file, f"suture-evidence-{rollout.id}", files, rollout.started_at.timestamp())
    except FileExistsError:
        raise ServiceError(f"{target} exists already", "Name another file with --output.") from None
    return target, verdict


def _for_its_owner(path: str, flags: int) -> int:
    """It holds what hosts printed, so whoever may read it is for its owner to say."""
    return os.open(path, flags, 0o600)


def _picture(rehearsal: bytes) -> str:
    """Empty where there was no load; a record that was tampered with may hold anything."""
    try:
        found = decode(rehearsal, _Rehearsal).performance
    except msgspec.DecodeError:
        return ""
    if found is None or found.before is None or found.after is None:
        return ""
    return latency_svg(found.before, found.after)


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
