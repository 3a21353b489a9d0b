"""The two distributions of latency of a rehearsal as a picture: SVG, for the evidence."""

from __future__ import annotations

import math

from suture.core.performance import Distribution

_BINS_PER_DECADE = 10
_WIDTH, _HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 12, 34, 40
_SERIES = (("before", "#6b7280"), ("with the patch", "#2563eb"))
_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def latency_svg(before: Distribution, after: Distribution) -> str:
    """Shares of requests by latency, in tenths of a decade; both sides on one scale."""
    sides = (before, after)
    first = min(_place(one) for one in sides)
    count = max(_place(one) + len(one.counts) for one in sides) - first
    shares = [_shares(one, first, count) for one in sides]
    most = max(max(side) for side in shares)
    step = (_WIDTH - _LEFT - _RIGHT) / count
    height = _HEIGHT - _TOP - _BOTTOM
    parts = [*_legend(), *_axes(first, count, step, most)]
    for at, (side, (_, colour)) in enumerate(zip(shares, _SERIES, strict=True)):
        for place, share in enumerate(side):
            if share:
                tall = share / most * height
                parts.append(
                    f'<rect x="{_LEFT + place * step + at * step / 2:.1f}" '
                    f'y="{_HEIGHT - _BOTTOM - tall:.1f}" width="{step / 2:.1f}" '
                    f'height="{tall:.1f}" fill="{colour}"/>'
                )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'font-family="sans-serif" font-size="12" role="img" '
        f'aria-label="Latency before and with the patch">\n'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _legend() -> list[str]:
    parts = []
    for at, (name, colour) in enumerate(_SERIES):
        x = _LEFT + at * 90
        parts.append(f'<rect x="{x}" y="12" width="10" height="10" fill="{colour}"/>')
        parts.append(f'<text x="{x + 15}" y="21">{name}</text>')
    return parts


def _axes(first: int, count: int, step: float, most: float) -> list[str]:
    """A tick at every half decade, and the largest share."""
    base = _HEIGHT - _BOTTOM
    parts = [
        f'<line x1="{_LEFT}" y1="{base}" x2="{_WIDTH - _RIGHT}" y2="{base}" stroke="#111827"/>',
        f'<text x="{_LEFT - 6}" y="{_TOP + 10}" text-anchor="end">{most:.0%}</text>',
        f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT - 6}" text-anchor="middle">latency</text>',
    ]
    every = max(1, -(-count // 12))
    for place in range(0, count, every):
        x = _LEFT + place * step
        parts.append(
            f'<line x1="{x:.1f}" y1="{base}" x2="{x:.1f}" y2="{base + 4}" stroke="#111827"/>'
        )
        latency = _latency(10 ** ((first + place) / _BINS_PER_DECADE))
        parts.append(f'<text x="{x:.1f}" y="{base + 17}" text-anchor="middle">{latency}</text>')
    return parts


def _place(one: Distribution) -> int:
    return round(math.log10(one.first_s) * _BINS_PER_DECADE)


def _shares(one: Distribution, first: int, count: int) -> list[float]:
    shares = [0.0] * count
    for at, requests in enumerate(one.counts, _place(one) - first):
        shares[at] = requests / sum(one.counts)
    return shares


def _latency(seconds: float) -> str:
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return f"{seconds / size:.3g} {unit}"
