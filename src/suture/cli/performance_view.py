"""How performance in a rehearsal looks: a line a measure, and the two distributions of latency."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from suture.cli.output import console, plain, styled, table

if TYPE_CHECKING:
    from suture.core.performance import Distribution, Performance

_WIDTH = 32
_BINS_PER_DECADE = 10
_EIGHTHS = " ▏▎▍▌▋▊▉"


def print_performance(host: str, found: Performance) -> None:
    """Every measure before and after, its change with the interval, and a histogram."""
    out = console()
    out.print(
        plain(f"Performance on the twin of {host}: ", "bold")
        + styled(found.verdict)
        + plain(f"  {found.alternations} × with the patch, load: {found.load}", "dim", limit=600)
    )
    if found.judgements:
        made = table("Measure", "Before", "After", "Verdict", "|Change", right=("Before", "After"))
        for one in found.judgements:
            unit = one.measure.unit
            made.add_row(
                plain(one.measure.name),
                plain(_value(one.before, unit)),
                plain(_value(one.after, unit)),
                styled(one.verdict),
                plain(one.reason),
            )
        out.print(made)
    elif found.reason:
        out.print(plain(found.reason, limit=1500))
    if found.before and found.after:
        for line in histogram(found.before, found.after):
            out.print(plain(line))


def _value(value: float | None, unit: str) -> str:
    return "unknown" if value is None else f"{value:,.3g} {unit}".replace(",", " ")


def histogram(before: Distribution, after: Distribution) -> list[str]:
    """One line a bin of latency: the share of requests before and after, as bars of one scale."""
    first = min(_place(before), _place(after))
    last = max(_place(one) + len(one.counts) for one in (before, after))
    rows = [(place, _share(before, place), _share(after, place)) for place in range(first, last)]
    most = max(max(left, right) for _, left, right in rows)
    shown = [row for row in rows if max(row[1:]) >= 0.002]
    lines = [f"{'latency':>9}  {'before':<{_WIDTH + 7}}  after"]
    for place, left, right in shown:
        bars = "  ".join(f"{share:6.1%} {_bar(share / most):<{_WIDTH}}" for share in (left, right))
        lines.append(f"{_latency(10 ** (place / _BINS_PER_DECADE)):>9}  {bars}".rstrip())
    return [*lines, _summary("before", before), _summary("after", after)]


def _summary(name: str, one: Distribution) -> str:
    return (
        f"{name:>9}  median {_latency(one.median_s)}, 95 % within {_latency(one.p95_s)}, "
        f"{one.requests} requests, {one.failed} failed"
    )


def _place(one: Distribution) -> int:
    return round(math.log10(one.first_s) * _BINS_PER_DECADE)


def _share(one: Distribution, place: int) -> float:
    at = place - _place(one)
    return one.counts[at] / sum(one.counts) if 0 <= at < len(one.counts) else 0.0


def _bar(share: float) -> str:
    eighths = round(share * _WIDTH * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _latency(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds:.3g} s"
