"""What publishers say about vulnerabilities in the packages of their releases.

An :class:`Advisory` is the publisher's document, as it is stored; its :class:`Rule` objects are
what packages are held against, one for each CVE in each package of each release.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from enum import StrEnum

from suture.core.documents import Document

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}")
_OTHER_ID = re.compile(r"(?!CVE)[A-Z]{2,16}-[A-Z0-9][A-Z0-9-]{0,60}")


def vulnerability_id(text: str) -> str | None:
    """``text`` in the letters that publishers use, None where it has no form of an id.

    What has no CVE yet is known by another: ``TEMP-0841863-B31BAF`` (Debian), ``XSA-213`` (Xen),
    ``GHSA-6c3j-c64m-qhgq`` (GitHub, in small letters).
    """
    id_ = text.upper()
    if not text.isascii() or not (_CVE.fullmatch(id_) or _OTHER_ID.fullmatch(id_)):
        return None
    return f"GHSA-{id_[5:].lower()}" if id_.startswith("GHSA-") else id_


class Severity(StrEnum):
    """The publisher's own word, brought to one scale; UNKNOWN is not the lowest."""

    UNKNOWN = "unknown"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class FixState(StrEnum):
    """What a publisher says about a vulnerability in a package of a release.

    AFFECTED: open, and a fix may come. END_OF_LIFE: the publisher no longer looks at the release.
    """

    FIXED = "fixed"
    AFFECTED = "affected"
    NOT_AFFECTED = "not-affected"
    WILL_NOT_FIX = "will-not-fix"
    END_OF_LIFE = "end-of-life"
    UNDER_INVESTIGATION = "under-investigation"


class Affected(Document, frozen=True, omit_defaults=True):
    """What an advisory says of one package of one release.

    ``release`` is as in :attr:`OperatingSystem.release` (``debian:12``, ``almalinux:9``,
    ``alpine:3.18``). ``package`` is the source package where dpkg, apk or pacman is used, and the
    binary package where rpm is. ``fixed`` is the version that first has the fix, None unless
    ``state`` is FIXED, written as the package manager does (rpm: ``epoch:version-release``, the
    epoch left out where it is 0). Versions before ``introduced`` are not affected. ``cves`` are
    the advisory's own where empty. ``module`` is an rpm module stream (``nodejs:18``). ``archs``
    are those concerned, all where empty. ``channel`` names an archive apart that has the fix
    (``esm-infra``), empty for the release's own. ``severity`` is the advisory's where unknown.
    ``note`` is the publisher's reason in one line. ``by_source``: although the release uses rpm,
    the publisher names the source package, so ``package`` is that one and all of its binary
    packages are concerned.
    """

    release: str
    package: str
    state: FixState
    fixed: str | None = None
    introduced: str = ""
    cves: tuple[str, ...] = ()
    module: str = ""
    archs: tuple[str, ...] = ()
    channel: str = ""
    severity: Severity = Severity.UNKNOWN
    note: str = ""
    by_source: bool = False


class Advisory(Document, frozen=True, omit_defaults=True):
    """One publisher's document about one or more vulnerabilities.

    ``id`` is the publisher's (``DSA-5380-1``, ``ALSA-2023:6245``), or the CVE where it publishes
    by vulnerability. ``publisher`` names who says so: ``debian``, ``redhat``, …, and
    ``changelog`` for what was read out of packages. ``withdrawn`` is the day on which it was
    taken back; a ``disputed`` vulnerability is one that its vendor does not accept.
    """

    id: str
    publisher: str
    cves: tuple[str, ...]
    affected: tuple[Affected, ...]
    severity: Severity = Severity.UNKNOWN
    published: date | None = None
    modified: date | None = None
    withdrawn: date | None = None
    disputed: bool = False
    summary: str = ""
    url: str = ""


class Rule(Document, frozen=True):
    """An advisory's word on one CVE in one package of one release: fields as in
    :class:`Affected` and :class:`Advisory`."""

    advisory: str
    publisher: str
    release: str
    package: str
    cve: str
    state: FixState
    fixed: str | None = None
    introduced: str = ""
    module: str = ""
    archs: tuple[str, ...] = ()
    channel: str = ""
    severity: Severity = Severity.UNKNOWN
    published: date | None = None
    disputed: bool = False
    summary: str = ""
    url: str = ""
    note: str = ""
    by_source: bool = False


def rules(advisory: Advisory) -> Iterator[Rule]:
    """One rule for each CVE, package and release; none where the advisory was withdrawn."""
    if advisory.withdrawn is not None:
        return
    for affected in advisory.affected:
        severity = affected.severity
        for cve in affected.cves or advisory.cves:
            yield Rule(
                advisory=advisory.id,
                publisher=advisory.publisher,
                release=affected.release,
                package=affected.package,
                cve=cve,
                state=affected.state,
                fixed=affected.fixed,
                introduced=affected.introduced,
                module=affected.module,
                archs=affected.archs,
                channel=affected.channel,
                severity=advisory.severity if severity is Severity.UNKNOWN else severity,
                published=advisory.published,
                disputed=advisory.disputed,
                summary=advisory.summary,
                url=advisory.url,
                note=affected.note,
                by_source=affected.by_source,
            )
