"""Alpine Linux: secdb, a file for each repository of each release.

It names fixes by source package ("origin") and says nothing of what is open: a CVE that is not in
it may be unknown, unfixed, or not concern Alpine.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from suture.core.intelligence.advisories import Advisory, Affected
from suture.feeds.feed import Feed, FeedError, FeedFile, Source
from suture.feeds.fields import cves, fix, line, token
from suture.reading import MAX_MEMBER, UnreadableError, json_of, opened, text_of

PUBLISHER = "alpine"

_DIRECTORY = re.compile(
    r"""href=["']?(?:\./)?(?P<release>v([0-9]{1,3})\.([0-9]{1,3})|edge)/?["' >]"""
)
_RELEASE = re.compile(r"v([0-9]{1,3}\.[0-9]{1,3})|(edge)")
_MAX_INDEX = 1_000_000
_MAX_RELEASES = 200


class _Package(msgspec.Struct):
    name: str
    secfixes: dict[str, list[str] | None] | None = None


class _Entry(msgspec.Struct):
    pkg: _Package


class _Repository(msgspec.Struct):
    distroversion: str
    packages: list[_Entry]


def fetch(source: Source) -> Sequence[FeedFile]:
    """All releases that secdb's own index lists. ``community`` came with 3.3."""
    releases = {
        match["release"]: match["release"] == "edge" or (int(match[2]), int(match[3])) >= (3, 3)
        for match in _DIRECTORY.finditer(_index(source))
    }
    if not releases:
        raise FeedError("the index of Alpine's secdb lists no release")
    if len(releases) > _MAX_RELEASES:
        raise FeedError(f"the index of Alpine's secdb lists more than {_MAX_RELEASES} releases")
    return [
        source.get(f"{release}/{repository}.json", max_bytes=MAX_MEMBER)
        for release, has_community in releases.items()
        for repository in (("main", "community") if has_community else ("main",))
    ]


def _index(source: Source) -> str:
    """The listing of the directory, which a copy on disk has as ``index.html``."""
    try:
        file = source.get("", max_bytes=_MAX_INDEX)
    except FeedError:
        file = source.get("index.html", max_bytes=_MAX_INDEX)
    return text_of(file.location, limit=_MAX_INDEX)


def parse(file: FeedFile) -> Iterator[Advisory]:
    """A repository's fixes, as one advisory a vulnerability.

    What has no CVE id keeps the one that it has (``XSA-…``, ``GHSA-…``).
    """
    with opened(file.location, limit=MAX_MEMBER) as stream:
        repository = json_of(stream.read(), _Repository, name=file.name)
    match = _RELEASE.fullmatch(repository.distroversion)
    if match is None:
        raise UnreadableError(
            f"{file.name} is of no release of Alpine: {repository.distroversion[:80]!a}"
        )
    release = f"alpine:{match[1] or match[2]}"
    by_id: dict[str, list[Affected]] = {}
    for entry in repository.packages:
        package = token(entry.pkg.name, name=file.name)
        for version, issues in (entry.pkg.secfixes or {}).items():
            state, fixed, note = fix(version.strip())
            affected = Affected(release, package, state, fixed, note=note)
            for issue in issues or ():
                for id_ in _ids(issue):
                    by_id.setdefault(id_, []).append(affected)
    for id_, each in by_id.items():
        yield Advisory(
            id=id_,
            publisher=PUBLISHER,
            cves=(id_,),
            affected=tuple(dict.fromkeys(each)),
            url=f"https://security.alpinelinux.org/vuln/{id_}",
        )


def _ids(issue: str) -> tuple[str, ...]:
    """The CVEs that an entry names, else its first word: ``XSA-213 (note)``."""
    return cves([issue]) or tuple(line(issue).split()[:1])


FEEDS: tuple[Feed, ...] = (
    Feed(
        name="alpine-secdb",
        publisher=PUBLISHER,
        title="Alpine Linux security database",
        url="https://secdb.alpinelinux.org/",
        fetch=fetch,
        parse=parse,
        systems=("alpine",),
    ),
)
