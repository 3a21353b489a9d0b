"""What one plan does that another does not."""

from __future__ import annotations

from suture.core.documents import Document
from suture.core.planning import HostPlan, Plan
from suture.core.selection import Change


class Replaced(Document, frozen=True):
    """The same package, to another version or other bytes."""

    before: Change
    after: Change


class HostDiff(Document, frozen=True):
    """One host in both plans: package changes that were added, dropped or replaced, and its ring
    before and after where it moved."""

    host: str
    added: tuple[Change, ...] = ()
    dropped: tuple[Change, ...] = ()
    replaced: tuple[Replaced, ...] = ()
    moved: tuple[str, str] | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.added or self.dropped or self.replaced or self.moved)


class PlanDiff(Document, frozen=True):
    """``waves`` are the rings in order, before and after, None where they are the same."""

    old: str
    new: str
    hosts_added: tuple[str, ...]
    hosts_dropped: tuple[str, ...]
    hosts_changed: tuple[HostDiff, ...]
    waves: tuple[tuple[str, ...], tuple[str, ...]] | None

    @property
    def is_empty(self) -> bool:
        return not (self.hosts_added or self.hosts_dropped or self.hosts_changed or self.waves)


def diff(old: Plan, new: Plan) -> PlanDiff:
    """From ``old`` to ``new``; hosts and packages in the order of their names."""
    before = {host.host: host for host in old.hosts}
    after = {host.host: host for host in new.hosts}
    both = (_host_diff(before[name], after[name]) for name in sorted(before.keys() & after.keys()))
    rings = tuple(w.ring for w in old.waves), tuple(w.ring for w in new.waves)
    return PlanDiff(
        old=old.id,
        new=new.id,
        hosts_added=tuple(sorted(after.keys() - before.keys())),
        hosts_dropped=tuple(sorted(before.keys() - after.keys())),
        hosts_changed=tuple(host for host in both if not host.is_empty),
        waves=rings if rings[0] != rings[1] else None,
    )


def _host_diff(old: HostPlan, new: HostPlan) -> HostDiff:
    before = {change.key: change for change in old.changes}
    after = {change.key: change for change in new.changes}
    return HostDiff(
        host=new.host,
        added=tuple(after[key] for key in sorted(after.keys() - before.keys())),
        dropped=tuple(before[key] for key in sorted(before.keys() - after.keys())),
        replaced=tuple(
            Replaced(before[key], after[key])
            for key in sorted(before.keys() & after.keys())
            if not _same(before[key], after[key])
        ),
        moved=(old.ring, new.ring) if old.ring != new.ring else None,
    )


def _same(one: Change, other: Change) -> bool:
    return (one.before, one.after, one.sha256) == (other.before, other.after, other.sha256)
