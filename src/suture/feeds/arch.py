"""Arch Linux: the groups of vulnerabilities (AVG) that its security tracker keeps.

Arch has no releases. A group names the version in which the fix came, and not the first that was
affected: ``affected`` is the version that was looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.feeds.feed import Feed, FeedFile, fixed_files
from suture.feeds.fields import cves, fix, line, severity, token
from suture.reading import MAX_MEMBER, json_of, opened

PUBLISHER = "arch"
RELEASE = "arch:"


class _Group(msgspec.Struct):
    name: str
    packages: list[str]
    status: str = ""
    severity: str = ""
    type: str = ""
    fixed: str | None = None
    issues: list[str] = []


def parse(file: FeedFile) -> Iterator[Advisory]:
    """The tracker's JSON: a list of groups, each as an advisory."""
    with opened(file.location, limit=MAX_MEMBER) as stream:
        groups = json_of(stream.read(), list[_Group], name=file.name)
    for group in groups:
        state, fixed, channel, note = _state(group)
        yield Advisory(
            id=token(group.name, name=file.name),
            publisher=PUBLISHER,
            cves=cves(group.issues),
            affected=tuple(
                Affected(
                    release=RELEASE,
                    package=token(package, name=file.name),
                    state=state,
                    fixed=fixed,
                    channel=channel,
                    note=note,
                )
                for package in group.packages
            ),
            severity=severity(group.severity),
            summary=line(group.type),
            url=f"https://security.archlinux.org/{group.name}",
        )


def _state(group: _Group) -> tuple[FixState, str | None, str, str]:
    """(state, fixed, channel, note)"""
    if group.status in ("Fixed", "Testing"):
        state, fixed, note = fix(group.fixed or "")
        return state, fixed, "testing" if group.status == "Testing" else "", note
    if group.status == "Vulnerable":
        return FixState.AFFECTED, None, "", ""
    if group.status == "Not affected":
        return FixState.NOT_AFFECTED, None, "", ""
    note = "" if group.status == "Unknown" else line(f"status {group.status!a}")
    return FixState.UNDER_INVESTIGATION, None, "", note


FEEDS: tuple[Feed, ...] = (
    Feed(
        name="arch",
        publisher=PUBLISHER,
        title="Arch Linux security tracker",
        url="https://security.archlinux.org/",
        fetch=fixed_files("issues/all.json"),
        parse=parse,
        systems=("arch",),
    ),
)
