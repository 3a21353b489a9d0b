"""``updateinfo``: the advisories inside an rpm repository, found through its ``repomd.xml``.

An advisory's packages are spread over the repositories and architectures of a release, and the
module stream of a package is told by ``modules.yaml`` beside it. So the repositories of a release
are fetched together and read as one file with parts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from xml.etree.ElementTree import Element

import yaml
from msgspec.structs import replace

from suture.core.intelligence.advisories import Advisory, FixState, Severity
from suture.feeds.feed import FeedError, FeedFile, Source
from suture.feeds.fields import cves, day, line, severity, token, url
from suture.feeds.rpm import (
    UNKNOWN_STREAM,
    Said,
    affected,
    evr,
    is_debug,
    is_modular,
    split_nevra,
)
from suture.reading import MAX_DEPTH, UnreadableError, elements, opened

INDEX = "repodata/repomd.xml"

_HREF = re.compile(r"repodata/[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_ID = re.compile(r"[A-Za-z]+(-[A-Za-z]+)*-[0-9]{4}[:-][A-Za-z0-9._-]{1,40}")
_MAX_INDEX = 4_000_000
_MAX_MODULES = 64_000_000  # bytes of one modules.yaml, unpacked
_MAX_STREAMS = 500_000

Streams = Mapping[tuple[str, str], str]
"""(package, version) → ``name:stream`` of the module that it belongs to."""


def fetch_repositories(*roots: str) -> Callable[[Source], Sequence[FeedFile]]:
    """The ``fetch`` of a feed that is the repositories at ``roots`` (paths ending in ``/``).

    Answers one file, the first index, with the lists of all repositories as its parts. They are
    checked against the SHA-256 that the indexes name.
    """

    def fetch(source: Source) -> Sequence[FeedFile]:
        indexes = [source.get(root + INDEX, max_bytes=_MAX_INDEX) for root in roots]
        parts = [
            source.get(root + href, sha256=sha256)
            for root, index in zip(roots, indexes, strict=True)
            for href, sha256 in _listed(index)
        ]
        if not parts:
            raise FeedError(f"no repository at {', '.join(roots)} has a list of updates")
        return [
            replace(indexes[0], parts=tuple(parts), changed=any(part.changed for part in parts))
        ]

    return fetch


def _listed(index: FeedFile) -> Iterator[tuple[str, str]]:
    """Path and SHA-256 of a repository's lists of updates and modules."""
    with opened(index.location, limit=_MAX_INDEX) as stream:
        for data in elements(stream, "data", name=index.name):
            if data.get("type") not in ("updateinfo", "modules"):
                continue
            href, sha256 = "", ""
            for child in data:
                if child.tag == "location":
                    href = child.get("href", "")
                elif child.tag == "checksum" and child.get("type") == "sha256":
                    sha256 = (child.text or "").strip()
            if not _HREF.fullmatch(href) or not _SHA256.fullmatch(sha256):
                raise UnreadableError(f"{index.name} names a list without a path or a SHA-256")
            yield href, sha256


def parser(
    publisher: str, release: str, *, channel: str = ""
) -> Callable[[FeedFile], Iterator[Advisory]]:
    """The ``parse`` of what :func:`fetch_repositories` answers.

    ``release`` and ``channel`` are as in :class:`Affected`: a repository does not say on what it
    is installed.
    """

    def parse(file: FeedFile) -> Iterator[Advisory]:
        streams: dict[tuple[str, str], str] = {}
        for part in file.parts:
            if _is_modules(part):
                streams |= _streams(part)
        updates: dict[str, _Update] = {}
        for part in file.parts:
            if not _is_modules(part):
                _collect(part, streams, updates)
        for update in updates.values():
            if update.cves or update.is_security:
                yield update.advisory(publisher, release, channel)

    return parse


def _is_modules(part: FeedFile) -> bool:
    return "modules.y" in part.name.rpartition("/")[2]


@dataclass
class _Update:
    """An advisory as it is put together from several repositories."""

    id: str
    is_security: bool
    severity: Severity
    summary: str
    published: date | None
    modified: date | None
    url: str
    cves: tuple[str, ...]
    packages: set[tuple[str, str, str, str, str]] = field(default_factory=set)

    def advisory(self, publisher: str, release: str, channel: str) -> Advisory:
        said = (
            Said(
                release=release,
                package=package,
                state=FixState.FIXED,
                fixed=fixed,
                arch=arch,
                channel=channel,
                module=module,
                note=note,
            )
            for package, fixed, arch, module, note in sorted(self.packages)
        )
        return Advisory(
            id=self.id,
            publisher=publisher,
            cves=self.cves,
            affected=affected(said),
            severity=self.severity,
            published=self.published,
            modified=self.modified,
            summary=self.summary,
            url=self.url,
        )


def _collect(part: FeedFile, streams: Streams, updates: dict[str, _Update]) -> None:
    with opened(part.location) as stream:
        for element in elements(stream, "update", name=part.name):
            update = _update(element, part.name)
            known = updates.setdefault(update.id, update)
            known.packages |= _packages(element, streams, part.name)


def _update(element: Element, name: str) -> _Update:
    id_ = (element.findtext("id") or "").strip()
    if not _ID.fullmatch(id_):
        raise UnreadableError(f"{name} has an advisory whose id is not one: {id_[:80]!a}")
    is_security = element.get("type") == "security"
    references = element.findall("references/reference")
    named = cves(_texts(references))
    if not named and is_security:
        named = cves([element.findtext("title") or "", element.findtext("description") or ""])
    own = (one.get("href", "") for one in references if one.get("type") == "self")
    return _Update(
        id=id_,
        is_security=is_security,
        severity=severity(element.findtext("severity")),
        summary=line(element.findtext("title")) or line(element.findtext("summary")),
        published=_date(element.find("issued")),
        modified=_date(element.find("updated")),
        url=url(next(own, "")),
        cves=named,
    )


def _texts(references: Sequence[Element]) -> Iterator[str]:
    for one in references:
        yield one.get("id", "")
        yield one.get("title", "")


def _date(element: Element | None) -> date | None:
    return None if element is None else day(element.get("date", ""))


def _packages(element: Element, streams: Streams, name: str) -> set[tuple[str, str, str, str, str]]:
    """(package, fixed version, architecture, module, note) of what runs."""
    found = set()
    for collection in element.iterfind("pkglist/collection"):
        of_all = collection.find("module")
        module = f"{of_all.get('name')}:{of_all.get('stream')}" if of_all is not None else ""
        for one in collection.iterfind("package"):
            package, arch = token(one.get("name", ""), name=name), one.get("arch", "")
            if arch in ("src", "nosrc") or is_debug(package):
                continue
            fixed = evr(one.get("epoch"), one.get("version", ""), one.get("release", ""), name=name)
            stream = line(module) or streams.get((package, fixed), "")
            note = UNKNOWN_STREAM if is_modular(fixed) and not stream else ""
            found.add((package, fixed, line(arch), stream, note))
    return found


def _streams(part: FeedFile) -> dict[tuple[str, str], str]:
    """The packages of each module stream, as ``modules.yaml`` lists its artifacts."""
    found: dict[tuple[str, str], str] = {}
    for document in _documents(part):
        data = document.get("data") if isinstance(document, dict) else None
        if not isinstance(data, dict) or document.get("document") != "modulemd":
            continue
        artifacts = data.get("artifacts")
        rpms = artifacts.get("rpms") if isinstance(artifacts, dict) else None
        module = line(f"{data.get('name')}:{data.get('stream')}")
        for text in rpms if isinstance(rpms, list) else ():
            package, version, _ = split_nevra(str(text), name=part.name)
            found[package, version] = module
            if len(found) > _MAX_STREAMS:
                raise UnreadableError(f"{part.name} lists more than {_MAX_STREAMS} packages")
    return found


def _documents(part: FeedFile) -> Iterator[Any]:
    """The documents of a YAML file, all scalars as they are written. Aliases are refused, for
    they are how a small file becomes a huge one, and so is what is nested deeply."""
    with opened(part.location, limit=_MAX_MODULES) as stream:
        data = stream.read()
    depth = 0
    try:
        for event in yaml.parse(data, yaml.CBaseLoader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent) or depth > MAX_DEPTH:
                raise UnreadableError(f"{part.name} uses aliases, or is nested too deeply")
        yield from yaml.load_all(data, Loader=yaml.CBaseLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableError(f"{part.name} is not YAML: {line(str(error))}") from error
