"""How hosts are connected to, apart from the connecting: who needs no SSH loads none of it."""

from __future__ import annotations

from collections.abc import Callable

from suture.core.documents import Document
from suture.hosts.transport.known_hosts import FirstUse
from suture.hosts.transport.shell import Limits

Ask = Callable[[str, str, str], bool]
"""(host, algorithm, fingerprint) → whether to pin the key. Called in a thread of its own."""


class SshSettings(Document, frozen=True):
    """How to connect. ``attempts`` counts tries at a host that cannot be reached; a refusal is
    never tried again. A dead peer is noticed after ``keepalive_s`` times ``keepalive_count``."""

    first_use: FirstUse = FirstUse.STRICT
    connect_timeout_s: float = 15.0
    attempts: int = 2
    keepalive_s: float = 8.0
    keepalive_count: int = 3
    limits: Limits = Limits()
