"""Gates: what is looked at while a ring soaks, before the next one may start."""

from __future__ import annotations

import math
from enum import StrEnum

from suture.core.documents import Document
from suture.core.evidence import Better

WINDOWS = 8
"""What a comparison needs of each host, before and after."""

_MOST_LOOKS = 240


class Source(StrEnum):
    """Where the canary's numbers come from: the host's own ``/proc`` over SSH, the text page of a
    node_exporter there, or queries to Prometheus."""

    NONE = "none"
    PROC = "proc"
    NODE_EXPORTER = "node-exporter"
    PROMETHEUS = "prometheus"


class Query(Document, frozen=True, kw_only=True):
    """A Prometheus query with one value for each host. ``floor`` is what is too little to matter,
    in the query's own unit."""

    name: str
    query: str
    better: Better = Better.LOWER
    floor: float = 0.0


class Canary(Document, frozen=True):
    """Patched hosts are compared with hosts of later waves. ``min_effect`` is the change for the
    worse, as a share, from which on it fails. ``address`` and ``label``, which holds a host's name
    or address, are those of Prometheus; ``port`` is that of node_exporter."""

    source: Source
    min_effect: float
    port: int = 9100
    address: str = ""
    label: str = ""
    queries: tuple[Query, ...] = ()


class Alerts(Document, frozen=True):
    """No alert may fire: of an Alertmanager at ``address`` those that fit all ``matchers``, or,
    with a ``query``, whatever Prometheus answers."""

    address: str
    matchers: tuple[str, ...] = ()
    query: str = ""


class Gate(Document, frozen=True):
    """What is looked at every ``every_s`` seconds."""

    every_s: float
    canary: Canary | None = None
    alerts: Alerts | None = None

    @property
    def looks_before(self) -> int:
        """Before the wave starts: one more than windows, each being what is between two looks."""
        return WINDOWS + 1 if self.canary else 0

    def looks(self, soak_s: float) -> int:
        """In all, before and after: at least as long as the soak, within bounds."""
        wanted = math.ceil(soak_s / self.every_s) + 1
        after = min(max(wanted, WINDOWS + 1 if self.canary else 1), _MOST_LOOKS)
        return self.looks_before + after
