"""What an organisation demands of a patch: that it matters, fits the host, and can be tested.

Each answer is a reason of the ledger with its detail, or nothing where the patch will do. What is
not known never counts as harmless: an unknown severity is severe enough, and a host of which
nobody knows whether it builds modules of its own is taken to.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from suture.core.assessment.findings import Finding
from suture.core.intelligence.advisories import Severity
from suture.core.inventory import AvailableVersion, Inventory, Package
from suture.core.selection.coverage import Coverage
from suture.core.selection.ledger import Reason, SelectionRules
from suture.core.versions import compare, is_valid

Objection = tuple[Reason, str]

_KERNEL = re.compile(r"linux-(image|modules|headers)-.+")
_MICROCODE = {"intel-microcode": "GenuineIntel", "amd64-microcode": "AuthenticAMD"}
_ORDER = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


class Criteria:
    """Asked of each version that is on offer for one host, whose ``findings`` alone are given."""

    def __init__(
        self,
        inventory: Inventory,
        *,
        rules: SelectionRules,
        findings: Sequence[Finding],
        coverage: Coverage,
    ) -> None:
        self._inventory = inventory
        self._rules = rules
        self._coverage = coverage
        self._modules = out_of_tree(inventory)
        self._by_source: dict[str, list[Finding]] = {}
        for finding in findings:
            self._by_source.setdefault(finding.source, []).append(finding)

    @cached_property
    def _archs(self) -> frozenset[str]:
        """Those that the host takes: declared, or installed already."""
        host = self._inventory
        there = {package.arch for package in host.packages.packages}
        return frozenset({host.arch, "all", *host.foreign_archs, *there})

    def closed_by(self, version: AvailableVersion) -> tuple[Finding, ...]:
        """The findings that the version closes."""
        return tuple(
            finding
            for finding in self._by_source.get(version.source, ())
            if finding.fixed
            and is_valid(version.source_version)
            and is_valid(finding.fixed)
            and compare(version.source_version, finding.fixed) >= 0
        )

    def is_exploited(self, version: AvailableVersion) -> bool:
        """Whether it closes what is known to be exploited."""
        return any(finding.kev for finding in self.closed_by(version))

    def unfit(self, version: AvailableVersion, own: Sequence[str]) -> Objection | None:
        """Why the version does not go with the host; ``own`` are the distribution's origins."""
        return self._incompatible(version, own) or self._out_of_tree(version)

    def untested(self, version: AvailableVersion) -> Objection | None:
        """Why nobody would notice that the version does harm, where that matters."""
        if not self._rules.require_checks:
            return None
        units = self._coverage.unchecked(version)
        return (Reason.UNTESTED, f"no health check covers {_and(units)}") if units else None

    def idle(self, version: AvailableVersion) -> Objection | None:
        """Why the version is not worth taking for its own sake."""
        if self._rules.relevant_only and (why := self._irrelevant(version)):
            return Reason.NOT_RELEVANT, why
        least = self._rules.min_severity
        closed = self.closed_by(version)
        if least is Severity.LOW or not closed or any(finding.kev for finding in closed):
            return None
        if any(finding.severity is Severity.UNKNOWN for finding in closed):
            return None
        most = max((finding.severity for finding in closed), key=_ORDER.index)
        if _ORDER.index(most) >= _ORDER.index(least):
            return None
        detail = f"closes nothing above {most.value}, the policy takes {least.value} and above"
        return Reason.BELOW_SEVERITY, detail

    def remarks(self, version: AvailableVersion) -> tuple[str, ...]:
        """What a reader should know of a version that is taken."""
        said = []
        if _KERNEL.fullmatch(version.name) and self._modules:
            said.append(f"modules are built anew for it: {_and(self._modules)}")
        if units := self._coverage.unchecked(version):
            said.append(f"no health check covers {_and(units)}")
        return tuple(said)

    def _irrelevant(self, version: AvailableVersion) -> str:
        if not self.closed_by(version):
            return "closes no vulnerability that is known on this host"
        if self._inventory.kernel.container and _KERNEL.fullmatch(version.name):
            return "the host is a container and runs no kernel of its own"
        platform, maker = self._inventory.platform, _MICROCODE.get(version.name)
        if platform is None or maker is None:
            return ""
        if platform.virtualization not in ("", "none"):
            return f"the host is virtual ({platform.virtualization}); microcode is its hypervisor's"
        if platform.cpu_vendor not in ("", maker):
            return f"the host's processor is of {platform.cpu_vendor}"
        return ""

    def _incompatible(self, version: AvailableVersion, own: Sequence[str]) -> Objection | None:
        host = self._inventory
        if version.arch not in self._archs:
            return Reason.INCOMPATIBLE, f"is for {version.arch}, the host is {host.arch}"
        if self._rules.allow_other_releases or not host.os.codename:
            return None
        releases = {
            re.split(r"[-/]", origin.codename)[0]
            for origin in version.origins
            if origin.origin in own and origin.codename
        }
        if not releases or host.os.codename in releases:
            return None
        detail = f"is for {_and(sorted(releases))}, the host runs {host.os.codename}"
        return Reason.INCOMPATIBLE, detail

    def _out_of_tree(self, version: AvailableVersion) -> Objection | None:
        if self._rules.allow_dkms_kernels or not _KERNEL.fullmatch(version.name):
            return None
        if self._modules:
            detail = f"a new kernel would need {_and(self._modules)} built anew"
            return Reason.OUT_OF_TREE, detail
        if self._inventory.platform is None:
            detail = "whether modules are built for the kernel is not known; scan the host again"
            return Reason.OUT_OF_TREE, detail
        return None


def out_of_tree(inventory: Inventory) -> tuple[str, ...]:
    """The names of kernel modules that the host builds for itself (DKMS)."""
    named = {one.name for one in inventory.packages.packages if _is_dkms(one)}
    built = set(inventory.platform.dkms) if inventory.platform else set()
    packaged = {name.removesuffix("-dkms") for name in named}
    return tuple(sorted(named | (built - packaged)))


def _is_dkms(package: Package) -> bool:
    return package.name.endswith("-dkms") and not package.state.is_gone


def _and(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
