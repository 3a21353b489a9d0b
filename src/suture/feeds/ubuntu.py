"""Ubuntu: Canonical's OSV and OpenVEX archives, one document a CVE.

OSV has the fixed versions and Canonical's priority, and lists what is open only as affected. VEX
has the same fixes, and beside them what is not affected, not looked at yet, put off, and not going
to be fixed. Both name the archive apart that has a fix: ``esm-infra`` and ``esm-apps`` need Ubuntu
Pro, ``fips-updates``, ``realtime`` and others are builds of their own. That is the channel here.

The notices (USN, LSN) in both archives are passed over: the CVE's own document says the same
of the packages, with the priority; Livepatch is not a package.

https://documentation.ubuntu.com/security/security-updates/ describes the words of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from urllib.parse import parse_qs, unquote

import msgspec
from msgspec.structs import replace

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds import osv
from suture.feeds.feed import Feed, FeedFile, fixed_files
from suture.feeds.fields import day, disputed, fix, line, severity, token
from suture.reading import UnreadableError, json_of, members

PUBLISHER = "ubuntu"

# Unpacked, the archives are of many gigabytes of much the same text.
_MAX_UNPACKED = 100_000_000_000
_CVE_DOCUMENT = re.compile(r"(?:^|/)cve/[0-9]{4}/(?:UBUNTU-)?CVE-[0-9]{4}-[0-9]+\.json")
_PURL = re.compile(
    r"pkg:deb/ubuntu/(?P<name>[^@?#]{1,300})@(?P<version>[^@?#]{0,300})\?(?P<rest>.*)"
)
_PREFIX = "This package (for the given release) "
_REASON = re.compile(r"CVE notes[^:]{0,40}:(.*)", re.IGNORECASE | re.DOTALL)
_PRIORITY = re.compile(r"classified this CVE as of ([A-Za-z]{1,20}) priority", re.IGNORECASE)
_CODENAMES = {
    "precise": "12.04",
    "trusty": "14.04",
    "xenial": "16.04",
    "bionic": "18.04",
    "focal": "20.04",
    "jammy": "22.04",
    "mantic": "23.10",
    "noble": "24.04",
    "oracular": "24.10",
    "plucky": "25.04",
    "questing": "25.10",
    "resolute": "26.04",
}


class _Product(msgspec.Struct):
    id: str = msgspec.field(name="@id")


class _Vulnerability(msgspec.Struct):
    name: str
    description: str = ""


class _Statement(msgspec.Struct):
    vulnerability: _Vulnerability
    status: str
    products: list[_Product] = []
    timestamp: str = ""
    justification: str = ""
    action_statement: str = ""
    status_notes: str = ""


class _Metadata(msgspec.Struct):
    timestamp: str = ""


class _Vex(msgspec.Struct):
    """``metadata`` is Canonical's own wrapping of what OpenVEX has at the top."""

    statements: list[_Statement]
    metadata: _Metadata | None = None
    timestamp: str = ""


def parse_osv(file: FeedFile) -> Iterator[Advisory]:
    """``osv-all.tar.xz``: the documents of CVEs."""
    for name, data in _documents(file):
        advisory = osv.parse(data, publisher=PUBLISHER, name=name)
        if advisory is not None:
            yield replace(advisory, affected=tuple(map(_as_far_as_osv_tells, advisory.affected)))


def _as_far_as_osv_tells(affected: Affected) -> Affected:
    """Canonical's OSV has the same words for what is not looked at yet, needed, put off and
    refused, and VEX tells them apart."""
    if affected.state is not FixState.AFFECTED:
        return affected
    return replace(affected, state=FixState.UNDER_INVESTIGATION, note="open, as far as OSV tells")


def parse_vex(file: FeedFile) -> Iterator[Advisory]:
    """``vex-all.tar.xz``: the documents of CVEs."""
    for name, data in _documents(file):
        advisory = parse_vex_document(data, name=name)
        if advisory is not None:
            yield advisory


def _documents(file: FeedFile) -> Iterator[tuple[str, bytes]]:
    for name, data in members(file.location, suffix=".json", limit=_MAX_UNPACKED):
        if _CVE_DOCUMENT.search(name):
            yield name, data


def parse_vex_document(data: bytes, *, name: str) -> Advisory | None:
    """One OpenVEX document as an advisory, None where it states nothing of a source package.

    Raises :class:`UnreadableError`.
    """
    document = json_of(data, _Vex, name=name)
    affected = tuple(
        dict.fromkeys(one for said in document.statements for one in _stated(said, name))
    )
    if not affected:
        return None
    first = document.statements[0]
    timestamp = document.metadata.timestamp if document.metadata else document.timestamp
    cve = token(first.vulnerability.name, name=name)
    return Advisory(
        id=cve,
        publisher=PUBLISHER,
        cves=(cve,),
        affected=affected,
        severity=_priority(document.statements),
        published=day(first.timestamp),
        modified=day(timestamp),
        disputed=disputed(first.vulnerability.description),
        summary=line(first.vulnerability.description),
        url=f"https://ubuntu.com/security/{cve}",
    )


def _stated(said: _Statement, name: str) -> Iterator[Affected]:
    if said.justification == "component_not_present":
        return  # the release has no such package
    state, note = _state(said)
    for product in said.products:
        if "arch=source" not in product.id:
            continue
        release, channel, package, version = _source(product.id, name)
        fixed, why = None, note
        stated = state
        if state is FixState.FIXED:
            stated, fixed, why = fix(version)
        yield Affected(release, package, stated, fixed, channel=channel, note=why)


def _source(purl: str, name: str) -> tuple[str, str, str, str]:
    """(release, channel, package, version) of a source package.

    ``distro`` is a codename, or the archive and the codename: ``esm-infra/bionic``. One that is
    not known here is kept, as a release that no host has.
    """
    match = _PURL.fullmatch(purl)
    if match is None:
        raise UnreadableError(f"{name} names something that is no package: {purl[:80]!a}")
    parts = (parse_qs(match["rest"]).get("distro") or [""])[0].split("/")
    codename = next((part for part in parts if part in _CODENAMES), parts[-1])
    channel = "-".join(part for part in parts if part != codename)
    return (
        f"ubuntu:{_CODENAMES.get(codename, line(codename))}",
        line(channel),
        token(unquote(match["name"]), name=name),
        unquote(match["version"]),
    )


def _state(said: _Statement) -> tuple[FixState, str]:
    """The state and the reason, from the status and the sentences that Canonical writes to it."""
    if said.status == "fixed":
        return FixState.FIXED, ""
    text = said.action_statement or said.status_notes
    reason = _REASON.search(text)
    note = line(reason[1] if reason else text.removeprefix(_PREFIX))
    if said.status == "not_affected":
        return FixState.NOT_AFFECTED, line(said.justification.replace("_", " "))
    if said.status == "affected":
        if "decided to not fix" in text:
            return FixState.WILL_NOT_FIX, note
        if "no longer supported" in text:
            return FixState.END_OF_LIFE, note
        return FixState.AFFECTED, note
    if said.status == "under_investigation":
        # Put off, it is known to be affected, however OpenVEX calls that.
        deferred = "defer" in text
        return FixState.AFFECTED if deferred else FixState.UNDER_INVESTIGATION, note
    return FixState.UNDER_INVESTIGATION, line(f"status {said.status!a}: {note}")


def _priority(statements: Sequence[_Statement]) -> Severity:
    notes = " ".join(said.status_notes for said in statements)
    match = _PRIORITY.search(notes)
    return severity(match[1]) if match else Severity.UNKNOWN


FEEDS: tuple[Feed, ...] = (
    Feed(
        name="ubuntu-osv",
        publisher=PUBLISHER,
        title="Ubuntu CVEs (OSV)",
        url="https://security-metadata.canonical.com/osv/",
        fetch=fixed_files("osv-all.tar.xz"),
        parse=parse_osv,
        systems=("ubuntu",),
    ),
    Feed(
        name="ubuntu-vex",
        publisher=PUBLISHER,
        title="Ubuntu CVEs (VEX)",
        url="https://security-metadata.canonical.com/vex/",
        fetch=fixed_files("vex-all.tar.xz"),
        parse=parse_vex,
        systems=("ubuntu",),
    ),
)
