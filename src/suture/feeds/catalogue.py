"""All feeds, by name. A new publisher's module is named here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from suture.feeds.feed import Feed

_MODULES = (
    "almalinux",
    "alpine",
    "arch",
    "cisa",
    "cve",
    "debian",
    "epss",
    "fedora",
    "nvd",
    "oracle",
    "redhat",
    "rocky",
    "suse",
    "ubuntu",
)


def catalogue() -> Mapping[str, Feed]:
    """Imports the publishers' modules, which nobody needs who does not sync."""
    feeds = [feed for module in _MODULES for feed in import_module(f"suture.feeds.{module}").FEEDS]
    return {feed.name: feed for feed in feeds}
