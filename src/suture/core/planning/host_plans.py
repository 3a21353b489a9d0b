"""One host's part of a plan: what is changed there, what that closes, and how it is checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import UNSET
from msgspec.structs import replace

from suture.core.assessment.findings import Finding
from suture.core.controls import Control
from suture.core.documents import Document
from suture.core.host_patterns import HostGroups
from suture.core.inventory import Host, Inventory
from suture.core.planning import expectations
from suture.core.planning.plan import REBOOT_BUDGET_S, HostPlan
from suture.core.policy import Policy
from suture.core.selection.ledger import Change, Selection
from suture.core.versions import compare, is_valid
from suture.core.words import seconds

# A Debian 12 host on two shared cores fetched 23 packages (20 MB) in 1.2 s and installed them in
# 19.3 s. Expectation enough to order a night's work by; restarts, checks and reboots come on top.
BYTES_PER_S = 17_000_000
PACKAGE_S = 0.84

# Not measured: a unit that stops, or a service that reloads, takes about as long; a parameter of
# the kernel less.
CONTROL_S = 2.0


class Closing(Document, frozen=True):
    """What changes close: CVEs of their ``own``, and findings on a source, source → version that
    it reaches."""

    own: frozenset[str]
    reached: Mapping[str, str]

    @classmethod
    def of(cls, changes: Sequence[Change]) -> Closing:
        return cls(
            own=frozenset(cve for change in changes for cve in change.cves),
            reached={change.source: change.source_version for change in changes},
        )

    def cves(self, findings: Sequence[Finding]) -> tuple[str, ...]:
        """The CVEs that are closed on the host of these findings."""
        closed = set(self.own)
        for finding in findings:
            version = self.reached.get(finding.source)
            if version and finding.fixed and _reaches(version, finding.fixed):
                closed.add(finding.cve)
        return tuple(sorted(closed))


class _Kind(Document, frozen=True):
    """What hosts made alike, with the same selection and controls, have in common."""

    inventory: Inventory
    plan: HostPlan
    closing: Closing


class HostPlans:
    """Makes the host plans of one plan. What hosts share, as clones do, is worked out once."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._checks = expectations.Checks(policy)
        self._hooks = HostGroups((one.on,) for one in policy.hooks)
        self._commands = tuple(one.hook for one in policy.hooks)
        budgets = {
            ring.name: seconds(ring.reboot_budget or policy.reboot_budget) for ring in policy.rings
        }
        self._budgets = {
            ring: UNSET if budget == REBOOT_BUDGET_S else budget for ring, budget in budgets.items()
        }
        self._kinds: dict[tuple[Inventory, tuple[int, ...]], _Kind] = {}
        self._closes: dict[tuple[int, int], tuple[str, ...]] = {}

    def make(
        self,
        host: Host,
        inventory: Inventory,
        selection: Selection,
        controls: tuple[Control, ...],
        findings: Sequence[Finding],
        ring: str,
    ) -> HostPlan:
        """``selection``, ``controls`` and ``findings`` must outlive this."""
        common = inventory.common()
        key = common, (id(selection), *map(id, controls))
        if key not in self._kinds:
            self._kinds[key] = self._kind(common, selection, controls)
        kind = self._kinds[key]
        closed = id(kind), id(findings)
        if closed not in self._closes:
            self._closes[closed] = kind.closing.cves(findings)
        return replace(
            kind.plan,
            host=host.name,
            closes=self._closes[closed],
            ring=ring,
            service=host.service,
            checks=self._checks.of(host, kind.inventory, controls),
            jump=host.jump,
            reboot_budget_s=self._budgets[ring],
            hooks=tuple(self._commands[at] for at in self._hooks.of(host)),
            backup=expectations.data_backup(host, self._policy),
        )

    def _kind(
        self, inventory: Inventory, selection: Selection, controls: tuple[Control, ...]
    ) -> _Kind:
        changes, rule = selection.changes, self._policy.reboot
        package_set, patch_set = inventory.packages.digest, selection.patch_set
        size = sum(change.size for change in changes)
        plan = HostPlan(
            host="",
            release=inventory.os.release,
            arch=inventory.arch,
            package_set=package_set,
            class_id=expectations.class_id(inventory, package_set, patch_set, controls),
            patch_set=patch_set,
            changes=changes,
            ledger=selection.ledger,
            closes=(),
            ring="",
            service=None,
            checks=(),
            restarts=expectations.expected_restarts(inventory, changes),
            reboot=rule,
            reboot_expected=expectations.expects_reboot(inventory, changes, rule),
            download_bytes=size,
            estimated_s=round(
                size / BYTES_PER_S + PACKAGE_S * len(changes) + CONTROL_S * len(controls), 1
            ),
            controls=controls,
        )
        return _Kind(inventory, plan, Closing.of(changes))


@lru_cache(maxsize=65_536)
def _reaches(version: str, fixed: str) -> bool:
    """What cannot be compared is not said to be closed."""
    return is_valid(version) and is_valid(fixed) and compare(version, fixed) >= 0
