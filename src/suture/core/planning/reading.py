"""Reading a plan back. Hosts that are alike share what they have in common, as they did when the
planner made it: a fleet has few patch sets for its many hosts."""

from __future__ import annotations

from typing import Any

from msgspec import Raw
from msgspec.structs import replace

from suture.core.documents import decode, encode
from suture.core.planning.plan import HostPlan, Plan


def read_plan(document: bytes | str) -> Plan:
    """The plan of a canonical document; raises ``msgspec.ValidationError``.

    Host by host: a plan of 10,000 hosts is never in memory without anything shared.
    """
    fields = decode(document, dict[str, Raw])
    hosts = decode(fields.pop("hosts", b"null"), list[Raw])
    plan = decode(encode({**fields, "hosts": ()}), Plan)
    known: dict[Any, Any] = {}
    return replace(plan, hosts=tuple(_shared(decode(host, HostPlan), known) for host in hosts))


def _shared(host: HostPlan, known: dict[Any, Any]) -> HostPlan:
    """``host`` with what is equal to something ``known`` replaced by that."""
    fields = ("changes", "ledger", "closes", "checks")
    return replace(host, **{f: known.setdefault((f, v := getattr(host, f)), v) for f in fields})
