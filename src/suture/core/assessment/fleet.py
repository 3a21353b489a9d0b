"""A fleet's packages as columns: each distinct package once, hosts as arrays of their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from suture.core.inventory import Package

Ids = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Fleet:
    """What counts on each host, from its newest observation.

    A package's id is its place in ``packages``. ``hosts`` and ``releases`` belong together; the
    packages of host ``n`` are ``ids[starts[n]:starts[n + 1]]``, in no order. ``streams`` are the
    minor releases on which hosts stay (``channels.stream``), empty where none does.
    """

    packages: Sequence[Package]
    hosts: Sequence[str]
    releases: Sequence[str]
    starts: NDArray[np.int64]
    ids: Ids
    streams: Sequence[str] = ()


class Interner:
    """Gives each distinct package a number, and remembers the line of text that it was read from,
    so that a fleet's worth of text is read once for each distinct line.

    Hosts of one release share most of their lines: one after the other they are looked up faster.
    """

    def __init__(self) -> None:
        self._ids: dict[Package, int] = {}
        self._lines: dict[bytes, int] = {}

    @property
    def packages(self) -> tuple[Package, ...]:
        return tuple(self._ids)

    def intern(self, packages: Iterable[Package]) -> list[int]:
        return [self._ids.setdefault(package, len(self._ids)) for package in packages]

    def intern_lines(self, lines: Sequence[bytes], read: Callable[[str], Package | None]) -> Ids:
        """``read`` is asked once for each distinct line; None is a line about no package.

        What it raises is the caller's to handle, and a line that is not UTF-8.
        """
        try:
            ids = self._looked_up(lines)
        except KeyError:
            known = self._lines
            for line in lines:
                if line not in known:
                    package = read(line.decode())
                    known[line] = -1 if package is None else self.intern((package,))[0]
            ids = self._looked_up(lines)
        return ids[ids >= 0]

    def _looked_up(self, lines: Sequence[bytes]) -> Ids:
        return np.fromiter(map(self._lines.__getitem__, lines), np.int32, len(lines))


def columns(
    packages: Sequence[Package],
    hosts: Sequence[str],
    releases: Sequence[str],
    sets: Sequence[Sequence[int] | Ids],
    streams: Sequence[str] = (),
) -> Fleet:
    """A fleet from each host's package ids."""
    lengths = np.fromiter(map(len, sets), np.int64, len(sets))
    arrays = [np.asarray(one, np.int32) for one in sets]
    return Fleet(
        packages=packages,
        hosts=hosts,
        releases=releases,
        starts=np.concatenate(([0], np.cumsum(lengths))),
        ids=np.concatenate(arrays) if arrays else np.empty(0, np.int32),
        streams=streams,
    )
