"""What is kept on hosts so that a patch can be taken back, and for how long."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from suture.core.documents import Document
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase, RolloutState


class Retention(Document, frozen=True):
    """Bundles older than ``keep_s`` seconds go, apart from the ``keep_last`` newest of a host;
    younger ones as well where all would need more than ``max_bytes`` on it."""

    keep_s: int = 30 * 86400
    keep_last: int = 2
    max_bytes: int = 2 << 30


class Kept(Document, frozen=True):
    """A package (``nginx:amd64``) whose old version a bundle holds; None was not installed."""

    package: str
    patched: str
    before: str | None


class Bundle(Document, frozen=True):
    """A return bundle on a host. ``reads`` is None where it was not read back now; each was when
    it was made. ``rollout`` is empty where the bundle does not tell. ``data`` are directories and
    names of dumps."""

    id: str
    made_at: datetime
    kib: int
    complete: bool
    reads: bool | None
    rollout: str
    packages: tuple[Kept, ...]
    data: tuple[str, ...] = ()


class KeptBundle(Document, frozen=True):
    """A bundle and until when it stays: None where only a newer one or the end of a rollout lets
    it go. ``reason`` says which."""

    bundle: Bundle
    until: datetime | None
    reason: str


def kept(
    bundles: Sequence[Bundle], retention: Retention, protected: Collection[str]
) -> tuple[KeptBundle, ...]:
    """Newest first, with what the retention means for each; ``protected`` are bundle ids."""
    newest = sorted(bundles, key=lambda one: one.made_at, reverse=True)
    places = iter(range(len(newest)))
    found = []
    for one in newest:
        until = one.made_at + timedelta(seconds=retention.keep_s)
        if not one.complete:
            found.append(KeptBundle(one, one.made_at, "incomplete"))
            continue
        place = next(places)
        if one.id in protected:
            found.append(KeptBundle(one, None, "its rollout is over and has soaked"))
        elif place < retention.keep_last:
            found.append(KeptBundle(one, None, f"one of the last {retention.keep_last}"))
        else:
            found.append(KeptBundle(one, until, "by age, earlier where disk is short"))
    return tuple(found)


def needs_bundles(
    plan: Plan, state: RolloutState, ended_at: datetime | None, now: datetime
) -> tuple[str, ...]:
    """The hosts whose bundles must stay: while the rollout is not over, and while one of its
    waves still soaks."""
    if ended_at is not None:
        soaks = {wave.index: wave.soak_s for wave in plan.waves}
        ends = (one.at + timedelta(seconds=soaks.get(one.index, 0.0)) for one in state.closed)
        if all(end <= now for end in ends):
            return ()
    untouched = (HostPhase.WAITING, HostPhase.FETCHING, HostPhase.SKIPPED)
    return tuple(host.host for host in state.hosts if host.phase not in untouched)
