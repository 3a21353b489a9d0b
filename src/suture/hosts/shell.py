"""Scripts for hosts: shell files of this package behind a header of quoted values.

Every value that reaches a shell passes through :func:`program`, and so through one quoting.
"""

from __future__ import annotations

import hashlib
import shlex
from functools import cache
from importlib import resources

from suture.core.planning.restarts import LEFT_RUNNING

_CONTROLS = (*range(9), 11, 12, *range(14, 32), *range(127, 160))
_DIRECTION = (0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_UNPRINTABLE: dict[int, str | None] = dict.fromkeys((*_CONTROLS, *_DIRECTION))
_UNPRINTABLE[ord("\r")] = "\n"


@cache
def source(name: str) -> str:
    """The text of ``scripts/NAME.sh``."""
    return (resources.files("suture.hosts") / "scripts" / f"{name}.sh").read_text()


@cache
def scripts_digest() -> str:
    """Of all that Suture may run on a host, as 64 hex digits."""
    scripts = (resources.files("suture.hosts") / "scripts").iterdir()
    texts = {one.name: one.read_text() for one in scripts if one.name.endswith(".sh")}
    whole = "".join(texts[name] for name in sorted(texts)) + LEFT_RUNNING
    return hashlib.sha256(whole.encode()).hexdigest()


def program(*names: str, **values: str | int) -> str:
    """The named script files one after another, with ``values`` as shell variables before them."""
    header = "".join(f"{key}={quote(value)}\n" for key, value in values.items())
    return header + "".join(source(name) for name in names)


def quote(value: str | int) -> str:
    """``value`` as one word of POSIX shell; raises ValueError for what no shell word can hold."""
    text = str(value)
    if "\0" in text:
        raise ValueError("a shell word cannot hold a NUL byte")
    return shlex.quote(text)


def printable(data: bytes) -> str:
    """What a host printed, safe to show and to keep: no control characters but line ends
    and tabs, nothing that turns the direction of writing."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n").translate(_UNPRINTABLE)
