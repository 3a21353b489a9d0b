"""How long ago the way back of each host was proved, and for which it is time again."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from suture.core.documents import Document, digest
from suture.core.evidence import Verdict
from suture.core.inventory import Inventory
from suture.core.policy import Policy
from suture.core.words import seconds
from suture.services import fleet, policies
from suture.services.collecting import clock
from suture.services.workspace import Workspace
from suture.store import drills, hosts, observations
from suture.store.database import query_of


class Proven(Document, frozen=True):
    """One host's way back. ``proved_at`` is when a drill last passed on ``on``, the host itself or
    one that has the same packages now, None for never. ``verdict`` is that of the last drill of
    these hosts. ``overdue``: the policy asks for a newer one."""

    host: str
    kind: str
    proved_at: datetime | None = None
    on: str = ""
    verdict: Verdict | None = None
    overdue: bool = False


def kind_of(inventory: Inventory) -> str:
    """The hosts for which one drill counts: the same release, architecture and packages."""
    return _kind(inventory.os.release, inventory.arch, inventory.packages.digest)


def _kind(release: str, arch: str, packages: str) -> str:
    return digest((release, arch, packages))[:12]


def proven(workspace: Workspace) -> tuple[Proven, ...]:
    """Every enrolled host that was scanned, under the policy in force."""
    policy, _ = policies.load(workspace)
    with fleet.opened(workspace) as store, store.read() as connection:
        return standings(connection, policy, clock())


def standings(connection: sa.Connection, policy: Policy, now: datetime) -> tuple[Proven, ...]:
    """By name; a host that was never scanned has no way back to prove."""
    seen = observations.systems(query_of(connection))
    kinds = {
        one.name: _kind(*seen[one.name]) for one in hosts.listing(connection) if one.name in seen
    }
    past = drills.listing(connection)
    every = policy.drill.every
    found = []
    for host, kind in sorted(kinds.items()):
        own = [one for one in past if host == one.host or kind == one.kind]
        passed = next((one for one in own if one.verdict is Verdict.PASS), None)
        age_s = (now - passed.ended_at).total_seconds() if passed else None
        found.append(
            Proven(
                host=host,
                kind=kind,
                proved_at=passed.ended_at if passed else None,
                on=passed.host if passed else "",
                verdict=own[0].verdict if own else None,
                overdue=every is not None and (age_s is None or age_s > seconds(every)),
            )
        )
    return tuple(found)
