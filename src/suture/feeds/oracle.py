"""Oracle Linux: one OVAL file with all advisories (ELSA), Ksplice's and FIPS packages among them.

Packages for Ksplice and for FIPS have versions that sort above those that everyone has, so what
they fix is kept apart by channel: on a host without them it would never seem to be fixed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from suture.core.intelligence.advisories import Advisory, FixState
from suture.feeds import oval
from suture.feeds.feed import Feed, FeedFile, fixed_files
from suture.feeds.rpm import Said, affected, is_debug, split_nevra
from suture.reading import UnreadableError, opened

_PLATFORM = re.compile(r"Oracle Linux ([0-9]{1,3})")
_ID = re.compile(r"EL[SBE]A-[0-9]{4}-[0-9]{1,10}(-[0-9]{1,4})?")
_ARCHS = {"i386": "i686"}


def parse(file: FeedFile) -> Iterator[Advisory]:
    with opened(file.location) as stream:
        for definition in oval.definitions(stream, name=file.name):
            if not _ID.fullmatch(definition.id):
                raise UnreadableError(
                    f"{file.name} has an advisory whose id is not one: {definition.id[:80]!a}"
                )
            yield Advisory(
                id=definition.id,
                publisher="oracle",
                cves=definition.cves,
                affected=affected(_said(definition, file.name)),
                severity=definition.severity,
                published=definition.issued,
                modified=definition.updated,
                summary=definition.title.removeprefix(f"{definition.id}: ").strip(),
                url=definition.url,
            )


def _said(definition: oval.Definition, name: str) -> Iterator[Said]:
    for one in definition.statements:
        platform = _PLATFORM.fullmatch(one.platform)
        if platform is None or is_debug(one.package):
            continue
        nevra = split_nevra(f"{one.package}-{one.fixed}", name=name)
        yield Said(
            release=f"ol:{platform[1]}",
            package=nevra.name,
            state=FixState.FIXED,
            fixed=nevra.evr,
            arch=_ARCHS.get(one.arch, one.arch),
            channel=_channel(nevra.evr),
            module=one.module,
        )


def _channel(evr: str) -> str:
    if ".ksplice" in evr:
        return "ksplice"
    return "fips" if evr.endswith("_fips") else ""


FEEDS = (
    Feed(
        name="oracle",
        publisher="oracle",
        title="Oracle Linux security advisories (OVAL)",
        url="https://linux.oracle.com/security/oval/",
        fetch=fixed_files("com.oracle.elsa-all.xml.bz2"),
        parse=parse,
        systems=("ol",),
    ),
)
