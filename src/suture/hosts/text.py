"""Text from hosts, made safe to show.

Whoever controls a host controls what it prints. Escape sequences would drive the operator's
terminal, and bidirectional marks would make one name look like another.
"""

from __future__ import annotations

import unicodedata

# Cc control, Cf format (bidirectional marks, zero-width), Cs surrogates, Co private use,
# Zl and Zp line and paragraph separators.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(text: str | bytes, limit: int = 200) -> str:
    """``text`` on one line without control or invisible characters, at most ``limit`` long."""
    if isinstance(text, bytes):
        text = text[: 4 * limit].decode("utf-8", "replace")
    shown = text[: 4 * limit]
    if not (shown.isascii() and shown.isprintable()):
        shown = "".join(
            " " if char in "\t\r\n" else char if _is_safe(char) else "\ufffd" for char in shown
        )
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: max(limit - 1, 0)] + "…"


def _is_safe(char: str) -> bool:
    return unicodedata.category(char) not in _UNSAFE
