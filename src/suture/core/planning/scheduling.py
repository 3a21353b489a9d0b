"""Rings, waves and service limits: which host goes when.

A host's place comes from a hash of its name, so it is the same on every run and on every
machine, and a host that joins the fleet moves at most one other across each ring's boundary.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from types import MappingProxyType

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.host_patterns import HostGroups
from suture.core.inventory import Host
from suture.core.planning.plan import Apart, HostPlan, OnFailure, ServiceLimit, Wave
from suture.core.policy import Policy, RingPolicy, ServicePolicy
from suture.core.words import seconds, share_of


class Urgency(Document, frozen=True):
    """Of what is closed on a host: whether any of it is known to be exploited, and the first
    ``due`` day with its vulnerability."""

    exploited: bool = False
    due: date | None = None
    cve: str = ""


def assign_rings(hosts: Sequence[Host], policy: Policy) -> dict[str, str]:
    """Host name → ring name. A host that no ring takes is missing from the answer.

    The host's own ``ring`` comes first, then the first ring whose patterns match, then the rings
    with a share, in order, and last the ring that takes the rest. Shares are of all ``hosts``;
    one that is too small for a host still takes one. A share never takes the whole of a service
    of two members or more, and takes one member of each service before a second of any.
    """
    known = {ring.name for ring in policy.rings}
    placed: dict[str, str] = {}
    named = HostGroups(ring.hosts for ring in policy.rings)
    for host in hosts:
        ring = host.ring
        if ring is None and (matching := named.of(host)):
            ring = policy.rings[matching[0]].name
        if ring in known:
            placed[host.name] = ring
    free = sorted(
        (host for host in hosts if host.name not in placed and host.ring is None),
        key=lambda host: place(host.name),
    )
    members = Counter(host.service for host in hosts if host.service)
    for ring_policy in policy.rings:
        if ring_policy.share is None:
            continue
        inside = [host for host in hosts if placed.get(host.name) == ring_policy.name]
        room = share_of(ring_policy.share, len(hosts)) - len(inside)
        taken = _take(free, room, Counter(h.service for h in inside if h.service), members)
        placed |= dict.fromkeys(taken, ring_policy.name)
        free = [host for host in free if host.name not in taken]
    rest = next((ring.name for ring in policy.rings if ring.takes_rest), None)
    return placed | {host.name: rest for host in free} if rest else placed


def waves(
    host_plans: Sequence[HostPlan],
    policy: Policy,
    urgencies: Mapping[str, Urgency] = MappingProxyType({}),
) -> tuple[Wave, ...]:
    """One wave a ring, in the policy's order; rings without hosts are left out. Where the policy
    has an emergency lane, its hosts come before all others in waves of their own.

    Within a wave hosts follow each other as places at work, in their service and behind their
    jump host become free: a fixed partition would make every host wait for the slowest of its
    batch and would bound nothing that the limits do not bound already. Members of a service
    stand apart in the order, so that the limits of one seldom hold up the others.
    """
    lanes: dict[tuple[bool, str], list[HostPlan]] = {}
    for host in host_plans:
        urgency = urgencies.get(host.host, _CALM)
        usual = not (policy.emergency.enabled and urgency.exploited)
        lanes.setdefault((usual, host.ring), []).append(host)
    used = [(lane, ring) for lane in (False, True) for ring in policy.rings]
    lanes_used = [(lane, ring) for lane, ring in used if (lane, ring.name) in lanes]
    # Nothing follows the last, so it has no gate.
    gates = [policy.gates.gate or UNSET] * (len(lanes_used) - 1) + [UNSET]
    return tuple(
        Wave(
            index=index,
            ring=ring.name,
            hosts=_ordered(lanes[lane, ring.name], urgencies),
            parallel=min(ring.parallel, policy.concurrency.total),
            soak_s=seconds(ring.soak),
            max_failures=ring.max_failures,
            approval=ring.approval,
            on_failure=_on_failure(ring, policy),
            gate=gates[index],
            wait_s=seconds(ring.wait_between) or UNSET,
            min_verified=int(ring.min_verified.removesuffix("%")) if ring.min_verified else UNSET,
        )
        for index, (lane, ring) in enumerate(lanes_used)
    )


def _on_failure(ring: RingPolicy, policy: Policy) -> OnFailure | UnsetType:
    """Unset where it is what the plan as a whole says, which knows two answers alone."""
    wanted = ring.on_failure or policy.on_failure
    usual = OnFailure.PAUSE if policy.on_failure is OnFailure.PAUSE else OnFailure.ROLL_BACK_HOST
    return UNSET if wanted is usual else wanted


def service_limits(hosts: Sequence[Host], policy: Policy) -> tuple[ServiceLimit, ...]:
    """The limit of each service, over all of its members, in the plan or not."""
    members: dict[str, list[Host]] = {}
    for host in hosts:
        if host.service:
            members.setdefault(host.service, []).append(host)
    return tuple(
        _limit(service, sorted(there, key=lambda host: host.name), policy.service(service))
        for service, there in sorted(members.items())
    )


def _limit(service: str, members: Sequence[Host], rules: ServicePolicy) -> ServiceLimit:
    names = tuple(host.name for host in members)
    limit = ServiceLimit(service, names, share_of(rules.max_out, len(names)))
    if rules.quorum is not None:
        quorum = share_of(rules.quorum, len(names))
        limit = replace(limit, max_out=min(limit.max_out, len(names) - quorum), quorum=quorum)
    if rules.anti_affinity:
        apart = (
            Apart(label, tuple(host.name for host in members if label in host.labels))
            for label in rules.anti_affinity
        )
        limit = replace(limit, apart=tuple(group for group in apart if group.members))
    return limit


_CALM = Urgency()


@lru_cache(maxsize=131_072)
def place(name: str) -> bytes:
    """Where a host stands in the order: a hash, so that names that look alike are spread."""
    return hashlib.sha256(name.encode()).digest()


def _take(free: Sequence[Host], room: int, inside: Counter[str], members: Counter[str]) -> set[str]:
    """Up to ``room`` hosts in their order, first those whose service is not ``inside`` yet."""
    taken: set[str] = set()

    def take_where_inside_is_below(limit: int | None) -> None:
        for host in free:
            if len(taken) >= room:
                return
            if host.name in taken:
                continue
            if host.service:
                most = max(1, members[host.service] - 1)
                if inside[host.service] >= (most if limit is None else min(limit, most)):
                    continue
                inside[host.service] += 1
            taken.add(host.name)

    take_where_inside_is_below(1)
    take_where_inside_is_below(None)
    return taken


def _ordered(hosts: Iterable[HostPlan], urgencies: Mapping[str, Urgency]) -> tuple[str, ...]:
    """What is exploited first, then what is due first: where windows are short, these get the
    room. Of what is alike, each service's first member before any service's second; by place
    within that."""

    def urgency(host: HostPlan) -> tuple[bool, date]:
        known = urgencies.get(host.host, _CALM)
        return not known.exploited, known.due or date.max

    turn: Counter[str] = Counter()
    order: list[tuple[bool, date, int, bytes, str]] = []
    for calm, due, at, host in sorted(
        ((*urgency(host), place(host.host), host) for host in hosts), key=lambda each: each[:3]
    ):
        order.append((calm, due, turn[host.service] if host.service else 0, at, host.host))
        if host.service:
            turn[host.service] += 1
    return tuple(name for *_, name in sorted(order))
