"""Whether a wave has shown enough to be closed, and which of its hosts are tried once more."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from msgspec import UNSET

from suture.core.planning.plan import Plan, Wave
from suture.core.rollout.state import HostPhase, HostState, RolloutState


def due_again(plan: Plan, state: RolloutState, held: Collection[str]) -> dict[str, datetime]:
    """The hosts that were away and have tries left, and when each is due. Those that are to get
    what is held back are not tried any more."""
    rule = plan.catch_up
    if not rule:
        return {}
    return {
        host.host: host.since + timedelta(seconds=rule.every_s)
        for host in state.hosts
        if host.away
        and host.since
        and host.phase is HostPhase.SKIPPED
        and host.attempt + 1 < rule.tries
        and host.host not in held
    }


def shown_too_little(
    wave: Wave, state: RolloutState, by_name: Mapping[str, HostState], held: Collection[str]
) -> str:
    """Why a wave whose hosts have all come to their end is inconclusive, empty where it is not.

    What a person has accepted does not count against it, nor do hosts that were left out or taken
    back for what is held back: but where these are all, and others are to follow, nothing is shown.
    """
    tolerated = frozenset(state.tolerated)
    phases = {host: by_name[host].phase for host in wave.hosts}
    judged = [h for h in wave.hosts if h not in held or phases[h] is HostPhase.DONE]
    skipped = [h for h in judged if phases[h] is HostPhase.SKIPPED and h not in tolerated]
    if wave.min_verified is not UNSET:
        counted = [host for host in judged if host not in tolerated]
        verified = sum(phases[host] is HostPhase.DONE for host in counted)
        wanted = f"{wave.min_verified} % have to be"
        problem = f"{verified} of {len(counted)} hosts are verified and {wanted}"
        enough = 100 * verified >= wave.min_verified * len(counted)
    else:
        problem = f"{len(skipped)} of {len(judged)} skipped"
        enough = 2 * len(skipped) <= len(judged)
    if enough:
        is_nothing = HostPhase.DONE not in phases.values() and not tolerated.issuperset(wave.hosts)
        if not is_nothing or not any(host in held for host in wave.hosts):
            return ""
        if not any(host.phase.is_to_come for host in state.hosts):
            return ""
        problem = "none of its hosts is verified after a package was held back"
    causes = "; ".join(f"{host}: {by_name[host].reason}" for host in skipped[:3])
    return f"{wave.ring} is inconclusive, {problem}" + (f": {causes}" if causes else "")
