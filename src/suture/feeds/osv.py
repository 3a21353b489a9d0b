"""Advisories in the OSV format (schema 1.x), whoever publishes them.

The format's ranges become fix states: a range that ends in ``fixed`` is FIXED, one without an end
is AFFECTED. What is said of language packages and of distributions that are not known here is
passed over. The format has no word for "not affected" and few publishers write one for severity:
only words are taken, for scores come from enrichment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds.ecosystems import Place, place
from suture.feeds.feed import FeedFile
from suture.feeds.fields import cves, day, disputed, fix, is_cve, line, severity, token, url
from suture.reading import MAX_MEMBER, UnreadableError, json_of, members, opened

_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_BINARY_RELEASES = ("sles:", "sled:", "sle_hpc:", "sle-micro:", "sl-micro:", "opensuse-")
_NOT_RPM = ("debian:", "ubuntu:", "alpine:")
_MAX_AFFECTED = 500_000
_SHOWN_VERSIONS = 5


class _Package(msgspec.Struct):
    ecosystem: str
    name: str
    purl: str = ""


class _Range(msgspec.Struct):
    type: str = ""
    events: list[dict[str, str]] = []


class _Affected(msgspec.Struct):
    package: _Package | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None
    ecosystem_specific: Any = None
    database_specific: Any = None


class _Reference(msgspec.Struct):
    type: str = ""
    url: str = ""


class _Severity(msgspec.Struct):
    type: str = ""
    score: str = ""


class _Document(msgspec.Struct):
    id: str
    modified: str = ""
    published: str = ""
    withdrawn: str | None = None
    aliases: list[str] | None = None
    related: list[str] | None = None
    upstream: list[str] | None = None
    summary: str = ""
    details: str = ""
    severity: list[_Severity] | None = None
    affected: list[_Affected] | None = None
    references: list[_Reference] | None = None
    database_specific: Any = None


def parse(data: bytes, *, publisher: str, name: str) -> Advisory | None:
    """One OSV document as an advisory, None where it is about no package of a known distribution.

    ``name`` is the file's, for messages. Raises :class:`UnreadableError`.
    """
    document = json_of(data, _Document, name=name)
    if not line(document.id):
        raise UnreadableError(f"{name} is an advisory without an id")
    affected = tuple(dict.fromkeys(_all_affected(document, name)))
    if not affected:
        return None
    return Advisory(
        id=line(document.id),
        publisher=publisher,
        cves=_cves(document),
        affected=affected,
        severity=_severity(document),
        published=day(document.published),
        modified=day(document.modified),
        withdrawn=day(document.withdrawn),
        disputed=disputed(document.details),
        summary=line(document.summary) or line(document.details),
        url=_url(document),
    )


def parser(publisher: str) -> Callable[[FeedFile], Iterator[Advisory]]:
    """A feed's ``parse`` for files that are one OSV document or an archive of many."""

    def parse_file(file: FeedFile) -> Iterator[Advisory]:
        if file.name.endswith(_ARCHIVES):
            documents = members(file.location, suffix=".json")
        else:
            with opened(file.location, limit=MAX_MEMBER) as stream:
                documents = iter([(file.name, stream.read())])
        for name, data in documents:
            advisory = parse(data, publisher=publisher, name=name)
            if advisory is not None:
                yield advisory

    return parse_file


def _cves(document: _Document) -> tuple[str, ...]:
    """What the advisory is about; ``related`` only where nothing says it more plainly."""
    own = cves([document.id], document.aliases or (), document.upstream or ())
    return own or tuple(one for one in cves(document.related or ()) if is_cve(one))


def _severity(document: _Document) -> Severity:
    """The publisher's word, in the three places where publishers put it."""
    words = [one.score for one in document.severity or ()]
    if isinstance(document.database_specific, dict):
        words.append(document.database_specific.get("severity", ""))
    words.append(document.summary.partition(":")[0])
    return _first(words)


def _url(document: _Document) -> str:
    references = document.references or []
    references = sorted(references, key=lambda one: one.type != "ADVISORY")
    return next(filter(None, (url(one.url) for one in references)), "")


def _all_affected(document: _Document, name: str) -> Iterator[Affected]:
    count = 0
    for said in document.affected or ():
        at = place(said.package.ecosystem, said.package.purl) if said.package else None
        for affected in _affected(said, at, name) if at else ():
            count += 1
            if count > _MAX_AFFECTED:
                raise UnreadableError(f"{name} names more than {_MAX_AFFECTED} packages")
            yield affected


def _affected(said: _Affected, at: Place, name: str) -> Iterator[Affected]:
    assert said.package is not None
    release, channel = at
    specific = [
        one for one in (said.ecosystem_specific, said.database_specific) if isinstance(one, dict)
    ]
    word = _first(
        [one.get(key, "") for one in specific for key in ("ubuntu_priority", "severity", "urgency")]
    )
    for package, version in _packages(said, release, specific, name):
        for state, introduced, fixed, note in _states(said, name):
            yield Affected(
                release=release,
                package=package,
                state=state,
                fixed=_version(version or fixed, release) if state is FixState.FIXED else None,
                introduced=_version(introduced, release) or "",
                channel=channel,
                severity=word,
                note=note,
            )


def _packages(
    said: _Affected, release: str, specific: list[dict[Any, Any]], name: str
) -> Iterator[tuple[str, str]]:
    """(package, its own fixed version or empty). SUSE names the source package, and beside it the
    binary ones, which is what its hosts have."""
    assert said.package is not None
    tables = specific[0].get("binaries") if specific else None
    if release.startswith(_BINARY_RELEASES) and isinstance(tables, list) and tables:
        for table in tables:
            for package, version in table.items() if isinstance(table, dict) else ():
                if isinstance(version, str):
                    yield token(package, name=name), token(version, name=name)
    else:
        yield token(said.package.name, name=name), ""


State = tuple[FixState, str, str | None, str]  # state, introduced, fixed, note


def _states(said: _Affected, name: str) -> Iterator[State]:
    events = [one.events for one in said.ranges or () if one.type in ("ECOSYSTEM", "SEMVER")]
    if any(events):
        for each in events:
            yield from _of_events(each, name)
    elif said.versions:
        shown = ", ".join(said.versions[:_SHOWN_VERSIONS])
        more = len(said.versions) - _SHOWN_VERSIONS
        note = f"affected are {shown}" + (f" and {more} more versions" if more > 0 else "")
        yield FixState.AFFECTED, "", None, line(note)
    else:
        yield FixState.UNDER_INVESTIGATION, "", None, "the advisory names no versions"


def _of_events(events: list[dict[str, str]], name: str) -> Iterator[State]:
    """Each ``introduced`` with what ends it; one that nothing ends is open."""
    introduced: str | None = None
    for event in events:
        for kind, version in event.items():
            since = introduced or ""
            if kind == "introduced":
                if introduced is not None:
                    yield FixState.AFFECTED, since, None, ""
                introduced = "" if version == "0" else token(version, name=name)
            elif kind == "fixed":
                state, fixed, note = fix(version)
                yield state, since, fixed, note
                introduced = None
            elif kind == "last_affected":
                note = f"{line(version)} is the last version affected; no fixed version is named"
                yield FixState.AFFECTED, since, None, note
                introduced = None
    if introduced is not None:
        yield FixState.AFFECTED, introduced, None, ""


def _version(version: str | None, release: str) -> str | None:
    """As the package manager writes it: rpm leaves an epoch of 0 out."""
    deb = release.startswith(_NOT_RPM)
    return version if deb or version is None else version.removeprefix("0:")


def _first(words: list[Any]) -> Severity:
    known = (severity(word) for word in words)
    return next((one for one in known if one is not Severity.UNKNOWN), Severity.UNKNOWN)
