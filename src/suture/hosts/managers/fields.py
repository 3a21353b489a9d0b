"""Fields of Debian's control data, checked before anything is made of them.

Each check returns its text and raises ``ValueError`` for what Debian's policy does not allow, so
that no name, version or path from a host can mean something to a shell, a terminal or a page.
"""

from __future__ import annotations

import re

from suture.hosts.text import clean

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]{1,200}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~-]{0,199}")
_ARCH = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FILENAME = re.compile(r"(?!/)(?!(?:.*/)?\.\.(?:/|$))[A-Za-z0-9.+:~_%/@=^,-]{1,1000}")
_RELATIONS = re.compile(r"[A-Za-z0-9.+:~<>=|,()\[\]!${}/ -]*")


def check_name(text: str) -> str:
    return _checked(_NAME, text)


def check_version(text: str) -> str:
    return _checked(_VERSION, text)


def check_arch(text: str) -> str:
    return _checked(_ARCH, text)


def check_sha256(text: str) -> str:
    return _checked(_SHA256, text)


def check_filename(text: str) -> str:
    """A path inside an archive: relative, and never upwards."""
    return _checked(_FILENAME, text)


def check_relations(text: str) -> str:
    """``Depends`` and its like, in the package manager's own syntax."""
    return _checked(_RELATIONS, text)


def number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise ValueError(f"not a number: {clean(text, 40)!r}")
    return int(text)


def percent(text: str) -> int:
    return min(number(text), 100)


def _checked(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError(f"not allowed: {clean(text, 60)!r}")
    return text
