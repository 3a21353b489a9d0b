"""Alpine's order, as apk-tools 3 defines it.

``number{.number}[letter]{_suffix[number]}[~hash][-rnumber]``. Some suffixes are of what comes
before a release, some of what comes after it. A number after a dot that starts with 0 is compared
as text, as a fraction would be.
"""

from __future__ import annotations

import re

_VERSION = re.compile(
    r"(?P<first>[0-9]+)(?P<numbers>(?:\.[0-9]+)*)(?P<letter>[a-z]?)"
    r"(?P<suffixes>(?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)"
    r"(?P<hash>(?:~[0-9a-f]+)?)(?:-r(?P<revision>[0-9]+))?"
)
_SUFFIX = re.compile(r"_([a-z]+)([0-9]*)")

_BEFORE = {name: bytes((1 + n,)) for n, name in enumerate(("alpha", "beta", "pre", "rc"))}
_AFTER = {name: bytes((0x21 + n,)) for n, name in enumerate(("cvs", "svn", "git", "hg", "p"))}
_SUFFIXES = {**_BEFORE, **_AFTER}
# What may follow, from the oldest on: a suffix of before, these, and a suffix of after.
_END, _REVISION, _HASH, _SUFFIX_NUMBER = b"\x10", b"\x11", b"\x12", b"\x13"
_LETTER, _NUMBER = b"\x30", b"\x40"
_TEXT_END = b"\x00"


def encode(version: str) -> bytes | None:
    """The key, None where apk would refuse it."""
    match = _VERSION.fullmatch(version)
    if match is None:
        return None
    encoded = [_value(match["first"])]
    for number in match["numbers"].split(".")[1:]:
        encoded.append(_NUMBER + (_text(number) if number[0] == "0" else _value(number)))
    if match["letter"]:
        encoded.append(_LETTER + match["letter"].encode())
    for suffix, number in _SUFFIX.findall(match["suffixes"]):
        encoded.append(_SUFFIXES[suffix])
        if number:
            encoded.append(_SUFFIX_NUMBER + _value(number))
    if match["hash"]:
        encoded.append(_HASH + match["hash"][1:].encode() + _TEXT_END)
    if match["revision"]:
        encoded.append(_REVISION + _value(match["revision"]))
    return b"".join(encoded) + _END


def _value(number: str) -> bytes:
    """Count of digits and digits; the count is 0 for 0 alone."""
    digits = number.lstrip("0").encode()
    return bytes((len(digits),)) + digits


def _text(number: str) -> bytes:
    """Below every number that does not start with 0, whose count is not 0."""
    return _TEXT_END + number.encode() + _TEXT_END
