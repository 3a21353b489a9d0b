"""What a host uses, read from its ``/proc``: a small script and its parser."""

from __future__ import annotations

import math

from suture.core.rollout.gates import Reading
from suture.hosts.shell import source
from suture.hosts.transport import FailureKind, HostError, HostFailure, Transport

_MOST_LINES = 50


async def read(transport: Transport) -> Reading:
    """Raises :class:`HostError`, MALFORMED for what is no answer to this."""
    result = await transport.run(source("samples"), timeout_s=30)
    reading = parse(transport.name, result.stdout.decode("ascii", "replace"))
    if reading is None:
        raise HostError(
            HostFailure(
                host=transport.name,
                kind=FailureKind.MALFORMED,
                message="it did not tell what it uses",
                remedy="See whether /proc is mounted there and awk is installed.",
            )
        )
    return reading


def parse(host: str, text: str) -> Reading | None:
    """None where the answer is cut off or none at all. What is no number is left out."""
    lines = text.splitlines()[:_MOST_LINES]
    if not lines or lines[-1] != "end":
        return None
    uptime = 0.0
    counters: dict[str, float] = {}
    gauges: dict[str, float] = {}
    for line in lines[:-1]:
        kind, _, rest = line.partition(" ")
        name, _, value = rest.partition(" ")
        number = _number(value)
        if number is None:
            continue
        if kind == "uptime":
            uptime = number
        elif kind in ("counter", "gauge"):
            (counters if kind == "counter" else gauges)[name.replace("-", " ")] = number
    return Reading(host, uptime, counters, gauges) if uptime else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
