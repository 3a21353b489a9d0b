"""Debian: the security tracker, and the lists of its advisories (DSA, and DLA for LTS).

The tracker says what holds for each vulnerability in each supported release. The lists go back to
1997 and give the advisories' own ids and dates; they name all CVEs of an advisory for all of its
releases, also where one is not affected by some.

Codenames become the numbers that hosts give. Hosts of testing and unstable give none, and unstable
is what both get their fixes from, so ``sid`` is ``debian:``.

https://security-team.debian.org/security_tracker.html describes the words of both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

import msgspec

from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.feeds.feed import Feed, FeedFile, fixed_files
from suture.feeds.fields import cves, disputed, fix, line, severity, token
from suture.reading import UnreadableError, json_of, opened, text_of

PUBLISHER = "debian"

_MAX_JSON = 1_000_000_000
_CODENAMES = {
    "potato": "2.2",
    "woody": "3.0",
    "sarge": "3.1",
    "etch": "4",
    "lenny": "5",
    "squeeze": "6",
    "wheezy": "7",
    "jessie": "8",
    "stretch": "9",
    "buster": "10",
    "bullseye": "11",
    "bookworm": "12",
    "trixie": "13",
    "forky": "14",
    "duke": "15",
    "sid": "",
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class _Release(msgspec.Struct):
    status: str = ""
    fixed_version: str = ""
    urgency: str = ""
    nodsa: str = ""
    nodsa_reason: str | None = None
    next_point_update: object = None


class _Issue(msgspec.Struct):
    releases: dict[str, _Release]
    description: str = ""


def parse_tracker(file: FeedFile) -> Iterator[Advisory]:
    """The tracker's JSON: package → vulnerability → releases, as one advisory a vulnerability.

    What has no CVE id yet keeps the tracker's own, ``TEMP-…``.
    """
    with opened(file.location, limit=_MAX_JSON) as stream:
        packages = json_of(stream.read(), dict[str, dict[str, _Issue]], name=file.name)
    affected: dict[str, list[Affected]] = {}
    descriptions: dict[str, str] = {}
    for package, issues in packages.items():
        for vulnerability, issue in issues.items():
            token(vulnerability, name=file.name)
            descriptions[vulnerability] = descriptions.get(vulnerability) or issue.description
            affected.setdefault(vulnerability, []).extend(
                _tracked(token(package, name=file.name), codename, said)
                for codename, said in issue.releases.items()
            )
    for vulnerability, each in affected.items():
        yield Advisory(
            id=vulnerability,
            publisher=PUBLISHER,
            cves=(vulnerability,),
            affected=tuple(each),
            disputed=disputed(descriptions[vulnerability]),
            summary=line(descriptions[vulnerability]),
            url=f"https://security-tracker.debian.org/tracker/{vulnerability}",
        )


def _tracked(package: str, codename: str, said: _Release) -> Affected:
    state, fixed, note = _tracked_state(said)
    return Affected(
        release=_release(codename),
        package=package,
        state=state,
        fixed=fixed,
        severity=severity(said.urgency.rstrip("*")),
        note=note,
    )


def _tracked_state(said: _Release) -> tuple[FixState, str | None, str]:
    reason = line(said.nodsa)
    if said.status == "resolved":
        return fix(said.fixed_version)
    if said.status == "undetermined":
        return FixState.UNDER_INVESTIGATION, None, ""
    if said.status != "open":
        return FixState.UNDER_INVESTIGATION, None, line(f"status {said.status!a}")
    if said.urgency == "end-of-life":
        return FixState.END_OF_LIFE, None, reason
    if said.nodsa_reason == "ignored":
        return FixState.WILL_NOT_FIX, None, reason
    parts = (
        "not a security problem in Debian's eyes" if said.urgency == "unimportant" else "",
        "postponed" if said.nodsa_reason == "postponed" else "",
        reason,
        "a fix comes with the next point release" if said.next_point_update else "",
    )
    return FixState.AFFECTED, None, ": ".join(part for part in parts if part)


def _release(codename: str) -> str:
    """A codename that is not known here is kept, as a release that no host has."""
    return f"debian:{_CODENAMES.get(codename, line(codename))}"


_HEAD = re.compile(
    r"\[(?P<day>[0-9][0-9]?) (?P<month>[A-Z][a-z]{2}) (?P<year>[0-9]{4})\] "
    r"(?P<id>D[SL]A-[0-9]+(?:-[0-9]+)?)(?P<text> .*)?"
)
_PACKAGE = re.compile(
    r"(?:\[(?P<codename>[a-z]+)\] )?- (?P<package>\S+)"
    r"(?:\s+(?:<(?P<tag>[a-z -]+)>|(?P<version>[^\s<(]\S*)))?"
)
_NAMED = re.compile(r"\{[A-Za-z0-9 -]*\}")
_REMARK = re.compile(r"[A-Z-]+(?:: .*)?")
_URGENCY = re.compile(r"(high|medium|low|unimportant)\b")
_TAGS = {
    "not-affected": FixState.NOT_AFFECTED,
    "unfixed": FixState.AFFECTED,
    "no-dsa": FixState.AFFECTED,
    "postponed": FixState.AFFECTED,
    "ignored": FixState.WILL_NOT_FIX,
    "end-of-life": FixState.END_OF_LIFE,
}


def parse_list(file: FeedFile) -> Iterator[Advisory]:
    """The tracker's DSA or DLA list, whose entries begin with a date and an id::

    [29 Mar 2023] DSA-5380-1 xorg-server - security update
            {CVE-2023-1393}
            [bullseye] - xorg-server 2:1.20.11-1+deb11u6
    """
    entry: list[str] = []
    for text in text_of(file.location).split("\n"):
        if text.startswith("[") and entry:
            yield _listed(entry, file.name)
            entry = []
        if text.strip():
            entry.append(text)
    if not entry:
        raise UnreadableError(f"{file.name} lists no advisory")
    yield _listed(entry, file.name)


def _listed(entry: Sequence[str], name: str) -> Advisory:
    """The advisory of one entry's lines, the first of which is its head."""
    head = _HEAD.fullmatch(entry[0])
    if head is None:
        raise _unlike_a_list(entry[0], name)
    affected = []
    named: list[str] = []
    for text in map(str.strip, entry[1:]):
        said, _, notes = text.partition(" (")
        match = _PACKAGE.fullmatch(said.rstrip())
        if match:
            affected.append(_listed_package(match, line(notes.removesuffix(")")), name))
        elif _NAMED.fullmatch(text):
            named.append(text)
        elif not _REMARK.fullmatch(text):
            raise _unlike_a_list(text, name)
    return Advisory(
        id=head["id"],
        publisher=PUBLISHER,
        cves=cves(named),
        affected=tuple(affected),
        published=_day(head, name),
        summary=line(head["text"]),
        url=f"https://security-tracker.debian.org/tracker/{head['id']}",
    )


def _listed_package(match: re.Match[str], notes: str, name: str) -> Affected:
    """Without a codename it is of unstable."""
    tag = match["tag"]
    urgency = _URGENCY.search(notes)
    if tag is None:
        state, fixed, note = fix(match["version"] or "")
    else:
        state, fixed = _TAGS.get(tag, FixState.UNDER_INVESTIGATION), None
        note = notes if tag in _TAGS else line(f"{tag}: {notes}" if notes else tag)
    return Affected(
        release=_release(match["codename"] or "sid"),
        package=token(match["package"], name=name),
        state=state,
        fixed=fixed,
        severity=severity(urgency[1] if urgency else ""),
        note=note or notes,
    )


def _day(head: re.Match[str], name: str) -> date:
    try:
        return date(int(head["year"]), _MONTHS.index(head["month"]) + 1, int(head["day"]))
    except ValueError as error:
        raise _unlike_a_list(head[0], name) from error


def _unlike_a_list(text: str, name: str) -> UnreadableError:
    return UnreadableError(f"{name} is not a list of advisories: {text[:80]!a}")


FEEDS: tuple[Feed, ...] = (
    Feed(
        name="debian-tracker",
        publisher=PUBLISHER,
        title="Debian security tracker",
        url="https://security-tracker.debian.org/tracker/data/",
        fetch=fixed_files("json"),
        parse=parse_tracker,
        systems=("debian",),
    ),
    *(
        Feed(
            name=f"debian-{kind.lower()}",
            publisher=PUBLISHER,
            title=title,
            url="https://salsa.debian.org/security-tracker-team/security-tracker/-/raw/master/data/",
            fetch=fixed_files(f"{kind}/list"),
            parse=parse_list,
            stale_after_s=14 * 86400,
            systems=("debian",),
            default=False,
        )
        for kind, title in (
            ("DSA", "Debian security advisories"),
            ("DLA", "Debian LTS security advisories"),
        )
    ),
)
