"""Why a host is not planned: too little is known of it, or there is nothing to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from suture.core.controls import Control
from suture.core.inventory import Host, Inventory
from suture.core.planning.plan import LeftOut
from suture.core.policy import Policy
from suture.core.selection.ledger import Ledger, Selection
from suture.core.words import seconds

SUPPORTED_MANAGERS = ("apt",)


class Eligibility:
    """Asked of each host of one plan. What is seen of a host and chosen for it is judged once
    where hosts share it, as clones do."""

    def __init__(self, policy: Policy, rings: Mapping[str, str], now: datetime) -> None:
        self._policy = policy
        self._rings = rings
        self._now = now
        self._judged: dict[tuple[int, int, bool], tuple[str, str, bool]] = {}

    def why_left_out(
        self,
        host: Host,
        inventory: Inventory | None,
        selection: Selection | None,
        controls: Sequence[Control],
    ) -> LeftOut | None:
        """Why the host is not planned, None where it is. What is given must outlive this."""
        if inventory is None:
            return LeftOut(host.name, "never seen; run `suture scan`", unknown=True)
        key = id(inventory), id(selection), bool(controls)
        if key not in self._judged:
            stale = _stale(inventory, self._policy, self._now)
            unfit = stale or _unfit(inventory, self._policy)
            idle = _without_changes(inventory, selection, controls)
            self._judged[key] = unfit, idle, bool(stale)
        unfit, idle, unknown = self._judged[key]
        reason = unfit or _without_ring(host, self._rings) or idle
        return LeftOut(host.name, reason, unknown) if reason else None


def _stale(inventory: Inventory, policy: Policy, now: datetime) -> str:
    limit = policy.preflight.max_inventory_age
    age = now - inventory.collected_at
    if age.total_seconds() > seconds(limit):
        return f"last seen {_ago(age)} ago, {limit} may be; run `suture scan`"
    return ""


def _unfit(inventory: Inventory, policy: Policy) -> str:
    if inventory.package_manager not in SUPPORTED_MANAGERS:
        manager = inventory.package_manager or "none"
        return f"package manager {manager} is not supported; only {SUPPORTED_MANAGERS[0]} is"
    broken = inventory.packages.broken
    if broken:
        shown = ", ".join(f"{package.name} {package.state}" for package in broken[:3])
        more = f" and {len(broken) - 3} more" if len(broken) > 3 else ""
        return f"packages are broken ({shown}{more}); run `dpkg --configure -a` there"
    limit = policy.preflight.max_indexes_age
    if inventory.indexes_age_s is None:
        return "it has no package lists; run `apt-get update` there"
    if inventory.indexes_age_s > seconds(limit):
        age = _ago(timedelta(seconds=inventory.indexes_age_s))
        return f"its package lists are {age} old, {limit} may be; run `apt-get update` there"
    return ""


def _without_ring(host: Host, rings: Mapping[str, str]) -> str:
    if host.name in rings:
        return ""
    if host.ring:
        return f"the policy has no ring `{host.ring}`; add it, or change the host's ring"
    return "no ring takes it; add a ring with neither hosts nor share, which takes the rest"


def _without_changes(
    inventory: Inventory, selection: Selection | None, controls: Sequence[Control]
) -> str:
    if selection is None:
        return "not assessed; run `suture scan`"
    if selection.changes or controls:
        return ""
    summary = _summary(selection.ledger)
    stale = sorted({process.unit or process.command for process in inventory.stale})
    restart = f"; {', '.join(stale[:3])} still run replaced files" if stale else ""
    return f"nothing to do: {summary}{restart}"


def _summary(ledger: Ledger) -> str:
    if not ledger.entries:
        return "no update is available"
    counts = sorted(ledger.counts().items())
    return f"{ledger.available} available, " + ", ".join(f"{n} {why}" for why, n in counts)


def _ago(age: timedelta) -> str:
    hours = age.total_seconds() / 3600
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"
