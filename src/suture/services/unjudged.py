"""Hosts of which nothing can be said: unknown is not the same as no findings."""

from __future__ import annotations

from suture.core.documents import Document
from suture.services.knowledge import Knowledge

_ARCHIVE_SPEAKS = "apt"  # whose archives say by themselves what they fix


class Unjudged(Document, frozen=True):
    """A host that was seen, and of whose ``release`` no publisher's word is known."""

    host: str
    release: str
    message: str
    remedy: str


def unjudged(host: str, release: str, manager: str, knowledge: Knowledge) -> Unjudged | None:
    """Why nothing can be said about a host whose packages ``manager`` keeps, None where something
    can. What is open on an rpm host feeds alone tell."""
    if manager == _ARCHIVE_SPEAKS or release in knowledge.spoken_of:
        return None
    message = f"no feed that was synced says anything about {release}"
    return Unjudged(host, release, message, _remedy(release))


def _remedy(release: str) -> str:
    from suture.feeds.catalogue import catalogue

    system, _, version = release.partition(":")
    names = [
        feed.name
        for feed in catalogue().values()
        if feed.default and system in feed.systems and _is_of(feed.name, version)
    ]
    if names:
        return f"Sync its publisher's: suture feeds sync {' '.join(names)}"
    return "No feed is about it. Scan it with another scanner, and import that: suture import FILE"


def _is_of(feed: str, version: str) -> bool:
    """Some feeds are about one release each, and end in its number."""
    number = feed.rpartition("-")[2]
    return not number.isdigit() or number == version
