"""What must hold whatever went wrong, by the hosts' own records and the event log."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from suture.core.documents import Document
from suture.core.planning.plan import Plan
from suture.core.rollout.state import HostPhase, RolloutState
from suture.hosts.services import RUNNING_CODE
from tests.faults.host import BEFORE, PretendHost
from tests.faults.records import Entry, Record


class Acknowledged(Document, frozen=True):
    """From ``after`` to ``until`` (entries of the hosts' record) nothing new may start: a pause or
    an abort was answered with a state in which ``at_work`` were; to ``fetching`` packages were
    being brought."""

    after: int
    until: int
    at_work: tuple[str, ...]
    word: str
    fetching: tuple[str, ...] = ()


def once(record: Record) -> Iterator[str]:
    """No transaction applied twice, and none under a fence that was overtaken."""
    began = Counter((entry.host, entry.transaction) for entry in record.of("began"))
    yield from (f"{host}: {tx} began {n} times" for (host, tx), n in began.items() if n > 1)
    applied = Counter(e.host for e in record.of("changing") if e.step == "apply")
    yield from (f"{host}: applied {n} times" for host, n in applied.items() if n > 1)
    highest: dict[str, int] = defaultdict(int)
    for entry in record.of("began", "asked"):
        if entry.fence < highest[entry.host]:
            yield f"{entry.host}: fence {entry.fence} acts after {highest[entry.host]}"
        highest[entry.host] = max(entry.fence, highest[entry.host])


def way_back_first(record: Record) -> Iterator[str]:
    """No host is changed, or asked to change, without its return bundle on disk."""
    for entry in record.of("no-bundle"):
        yield f"{entry.host}: asked to apply without a return bundle"
    ready: set[tuple[str, str]] = set()
    for entry in record.of("bundle", "changing"):
        if entry.kind == "bundle":
            ready.add((entry.host, entry.transaction))
        elif (entry.host, entry.detail) not in ready:
            yield f"{entry.host}: changed without its return bundle {entry.detail}"


def within_limits(record: Record, plan: Plan) -> Iterator[str]:
    """A host is out from its first change until it was seen to be well."""
    out: set[str] = set()
    for entry in record.of("changing", "well"):
        if entry.kind == "well":
            out.discard(entry.host)
            continue
        out.add(entry.host)
        for limit in plan.services:
            members = sorted(out & set(limit.members))
            if len(members) > limit.max_out:
                yield f"{limit.service}: {', '.join(members)} out, {limit.max_out} may be"


def quiet(record: Record, acknowledged: Sequence[Acknowledged]) -> Iterator[str]:
    """Nothing is started after a pause or an abort was acknowledged."""
    first: dict[tuple[str, bool], Entry] = {}
    for entry in record.of("began"):
        first.setdefault((entry.host, entry.step == "fetch"), entry)
    for word in acknowledged:
        for (host, is_fetch), entry in first.items():
            begun = word.fetching if is_fetch else word.at_work
            if word.after < entry.seq <= word.until and host not in begun:
                what = "fetched for" if is_fetch else "started"
                yield f"{host}: {what} after {word.word} was acknowledged"


def truthful(record: Record, state: RolloutState, hosts: dict[str, PretendHost]) -> Iterator[str]:
    """None is lost: the store says of every host what that host is."""
    touched = {entry.host for entry in record.of("began") if entry.step != "fetch"}
    changed = {entry.host for entry in record.of("changing")}
    for told in state.hosts:
        host = hosts[told.host]
        is_before = (host.version, host.half_installed) == (BEFORE, False)
        # What no reboot has ended is said beside the rest.
        is_told = host.in_memory == BEFORE or RUNNING_CODE in told.reason
        is_after = host.version != BEFORE and not host.half_installed
        holds = {
            HostPhase.WAITING: told.host not in touched,
            HostPhase.SKIPPED: told.host not in changed,
            HostPhase.DONE: is_after,
            HostPhase.ROLLED_BACK: told.host in changed and is_before and is_told,
            HostPhase.FAILED: told.host in changed,
            HostPhase.ROLLBACK_FAILED: told.host in changed,
        }
        if not holds.get(told.phase, False):
            is_what = f"{host.version}{' (half installed)' if host.half_installed else ''}"
            yield f"{told.host}: told as {told.phase} ({told.reason}), is {is_what}"
