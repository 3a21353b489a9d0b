"""A package that failed on one host is held back for the others, while the rest goes on.

The plan is never changed: what was rehearsed is what is deployed, so no host gets its patch set
without the suspect. Hosts whose plan brings the suspect version are left out instead, and get a
plan of their own afterwards, with a rehearsal of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from suture.core.planning.plan import HeldBack, OnFailure, Plan
from suture.core.rollout.state import HostPhase, HostState, RolloutState

Suspect = tuple[str, str]
"""A source package and its version."""

_TAKEN_BACK = (HostPhase.FAILED, HostPhase.ROLLING_BACK, HostPhase.ROLLED_BACK)


def contained(plan: Plan, failed: Iterable[HostState]) -> dict[str, frozenset[Suspect]]:
    """Of the failed hosts those that need not stop the rollout: taken back, or about to be, for
    suspects that the plan allows to be held back. None where all together have more suspects than
    it allows: what looks like several bad packages may be one cause that nobody has named.
    """
    found = {}
    for host in failed:
        action = plan.on_failure(plan.waves[plan.wave_of[host.host]])
        suspects = _suspects(plan, host)
        if suspects and host.phase in _TAKEN_BACK and action is not OnFailure.PAUSE:
            found[host.host] = suspects
    distinct = frozenset[Suspect]().union(*found.values())
    return found if len(distinct) <= (plan.max_held_back or 0) else {}


def to_hold_back(
    state: RolloutState, causes: Mapping[str, frozenset[Suspect]], why: Mapping[str, HostState]
) -> tuple[HeldBack, ...]:
    """What ``causes``, the contained hosts and their suspects, add to what is held back already;
    ``why`` has the hosts by name."""
    known = {(one.source, one.version) for one in state.held_back}
    fresh: dict[Suspect, HeldBack] = {}
    for host, suspects in causes.items():
        for source, version in sorted(suspects - known):
            reason = f"failed on {host}: {why[host].reason}"
            fresh.setdefault((source, version), HeldBack(source, version, reason))
    return tuple(fresh.values())


def bringing(plan: Plan, held_back: Iterable[HeldBack]) -> dict[str, HeldBack]:
    """The hosts whose plan brings something that is held back, and the first such thing."""
    found: dict[str, HeldBack] = {}
    for held in held_back:
        for host in plan.bringing.get((held.source, held.version), ()):
            found.setdefault(host, held)
    return found


def left_out(plan: Plan, state: RolloutState) -> dict[str, HeldBack]:
    """The hosts that were left out of a rollout for something that it held back."""
    phases = {host.host: host.phase for host in state.hosts}
    found = bringing(plan, state.held_back)
    return {host: held for host, held in found.items() if phases[host] is HostPhase.SKIPPED}


def _suspects(plan: Plan, host: HostState) -> frozenset[Suspect]:
    named = host.suspects or ()
    if not named:
        return frozenset()
    changes = plan.host(host.host).changes
    return frozenset((c.source, c.source_version) for c in changes if c.source in named)
