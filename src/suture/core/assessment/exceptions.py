"""Exceptions: findings that someone accepts for a time, with a reason and an end.

An exception hides nothing: its findings are listed apart, under the name of its owner, and come
back by themselves on the day it ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase

from suture.core.assessment.findings import Finding
from suture.core.documents import Document
from suture.core.inventory import Host
from suture.core.policy import matches


class RiskException(Document, frozen=True, kw_only=True):
    """Findings that are accepted from ``since`` until, but not on, ``expires``.

    They are those of ``cve`` and of ``package``, a pattern for the source or binary package (empty
    for any; one of the two is set), on hosts whose name, label or service matches ``on``.
    ``control`` is what stands in for the fix meanwhile, empty where nothing does.
    """

    id: str
    owner: str
    reason: str
    since: date
    expires: date
    cve: str = ""
    package: str = ""
    on: str = "*"
    control: str = ""

    def __post_init__(self) -> None:
        if not self.cve and not self.package:
            raise ValueError("an exception is for a CVE or for a package; name one")
        if not self.owner or not self.reason:
            raise ValueError("an exception has an owner and a reason; name them")
        if self.expires <= self.since:
            raise ValueError("an exception ends after it begins")

    def is_in_force(self, at: date) -> bool:
        return self.since <= at < self.expires

    def covers(self, finding: Finding, host: Host | None) -> bool:
        """A host that is not described is matched by its name alone."""
        packages = (finding.source, finding.package, *finding.packages)
        return (
            (not self.cve or self.cve == finding.cve)
            and (not self.package or any(fnmatchcase(one, self.package) for one in packages))
            and matches(host or Host(name=finding.host, address=""), self.on)
        )


class Excepted(Document, frozen=True):
    """A finding and the exception that covers it: of several, the one that lasts longest."""

    finding: Finding
    exception: RiskException


class Split(Document, frozen=True):
    open: tuple[Finding, ...]
    excepted: tuple[Excepted, ...]


def split(
    findings: Iterable[Finding],
    exceptions: Sequence[RiskException],
    *,
    hosts: Mapping[str, Host],
    at: date,
) -> Split:
    """The findings that are open at ``at`` and those that are excepted, both in their order."""
    in_force = _Finder(exceptions, at)
    open_, excepted = [], []
    for finding in findings:
        exception = in_force.of(finding, hosts.get(finding.host))
        if exception is None:
            open_.append(finding)
        else:
            excepted.append(Excepted(finding, exception))
    return Split(tuple(open_), tuple(excepted))


def expiring(excepted: Iterable[Excepted], *, at: date, within: timedelta) -> tuple[Excepted, ...]:
    """Those that come back within that time, the soonest first."""
    soon = [one for one in excepted if one.exception.expires <= at + within]
    return tuple(sorted(soon, key=lambda one: (one.exception.expires, one.finding.rank)))


class _Finder:
    """Exceptions in force, the longest first, those for one CVE by that CVE."""

    def __init__(self, exceptions: Iterable[RiskException], at: date) -> None:
        self._by_cve: dict[str, list[RiskException]] = {}
        in_force = [one for one in exceptions if one.is_in_force(at)]
        for one in sorted(in_force, key=_longest):
            self._by_cve.setdefault(one.cve, []).append(one)

    def of(self, finding: Finding, host: Host | None) -> RiskException | None:
        covering = [
            one
            for cve in (finding.cve, "")
            for one in self._by_cve.get(cve, ())
            if one.covers(finding, host)
        ]
        return min(covering, key=_longest, default=None)


def _longest(exception: RiskException) -> tuple[int, str]:
    return -exception.expires.toordinal(), exception.id
