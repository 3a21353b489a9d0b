"""The hash chain of events: each one's hash covers the one before, so none can be changed,
removed, inserted or moved without every later hash telling.

What a chain cannot show by itself is a missing end: keep the head's hash somewhere else (it is
printed by ``suture evidence verify`` and stands in every export) and compare.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from suture.core.documents import Document, encode
from suture.core.evidence import Event

START = "0" * 64


class ChainVerdict(Document, frozen=True):
    """``broken_at`` is the first sequence number that does not fit, None for a whole chain;
    ``head`` the hash of the last event that does."""

    events: int
    head: str
    broken_at: int | None = None
    reason: str = ""


def link(
    before: Event | None,
    *,
    at: datetime,
    kind: str,
    subject: str,
    host: str,
    actor: str,
    data: str,
) -> Event:
    """The next event after ``before``, None for the first."""
    event = Event(
        seq=before.seq + 1 if before else 1,
        at=at,
        kind=kind,
        subject=subject,
        host=host,
        actor=actor,
        data=data,
        previous=before.hash if before else START,
        hash="",
    )
    return replace(event, hash=_hash(event))


def verify(events: Iterable[Event]) -> ChainVerdict:
    """Whether the events, in order of ``seq`` from 1, are the chain that was written."""
    count, head = 0, START
    for event in events:
        reason = _fault(event, count + 1, head)
        if reason:
            return ChainVerdict(events=count, head=head, broken_at=event.seq, reason=reason)
        count, head = count + 1, event.hash
    return ChainVerdict(events=count, head=head)


def _fault(event: Event, seq: int, head: str) -> str:
    if event.seq != seq:
        return f"event {seq} is missing, {event.seq} stands in its place"
    if event.previous != head:
        return "it does not follow the event before it"
    if event.hash != _hash(event):
        return "its content is not what was hashed"
    return ""


def _hash(event: Event) -> str:
    return hashlib.sha256(encode(replace(event, hash=""))).hexdigest()
