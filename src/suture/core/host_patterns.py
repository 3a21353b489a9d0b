"""The patterns by which a policy names hosts: by name, by label or by service."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase, translate
from functools import lru_cache

from suture.core.inventory import Host


def matches(host: Host, pattern: str) -> bool:
    """Whether the host's name, service or one of its labels matches a shell pattern."""
    if _is_literal(pattern):
        return pattern in host.labels or pattern in (host.name, host.service)
    words = (host.name, *host.labels, *((host.service,) if host.service else ()))
    return any(fnmatchcase(word, pattern) for word in words)


class HostGroups:
    """Which groups a host belongs to, each the places of its patterns; asked of a whole fleet.

    Hosts of the same labels and service belong to the same groups, unless some pattern matches
    their very name, so most are answered from memory.
    """

    def __init__(self, groups: Iterable[Sequence[str]]) -> None:
        self._groups = tuple(tuple(group) for group in groups)
        self._patterns = frozenset(pattern for group in self._groups for pattern in group)
        self._literals = frozenset(filter(_is_literal, self._patterns))
        globs = sorted(self._patterns - self._literals)
        self._globs = re.compile("|".join(map(translate, globs))) if globs else None
        self._known: dict[tuple[tuple[str, ...], str | None], tuple[int, ...]] = {}

    def of(self, host: Host) -> tuple[int, ...]:
        """The groups of which a pattern matches the host, in order, by their place."""
        if not self._patterns:
            return ()
        if host.name in self._literals or (self._globs and self._globs.match(host.name)):
            return self._of(host)
        key = host.labels, host.service
        if key not in self._known:
            self._known[key] = self._of(host)
        return self._known[key]

    def _of(self, host: Host) -> tuple[int, ...]:
        return tuple(
            at
            for at, group in enumerate(self._groups)
            if any(matches(host, pattern) for pattern in group)
        )


@lru_cache(maxsize=1024)
def _is_literal(pattern: str) -> bool:
    return not any(char in pattern for char in "*?[")
