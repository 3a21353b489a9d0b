"""What a person types to name a host: ``local``, ``user@host``, ``host:port``, ``[::1]:22``."""

from __future__ import annotations

import re

from suture.core.inventory import Host
from suture.services.errors import ServiceError

_TARGET = re.compile(
    r"(?:(?P<user>[A-Za-z_][A-Za-z0-9_.-]*)@)?"
    r"(?:\[(?P<six>[0-9A-Fa-f:.%a-z]+)\]|(?P<address>[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?))"
    r"(?::(?P<port>\d{1,5}))?"
)


def parse_target(text: str, *, key: str | None = None, jump: str | None = None) -> Host:
    """The host that ``text`` names; raises :class:`ServiceError` when it names none."""
    if jump is not None and not _is_address(jump):
        raise ServiceError(
            f"not a jump host: {jump!r:.80}", "Write it as `user@host` or `user@host:port`."
        )
    if text == "local":
        return Host(name="local", address="local", user="root")
    found = _TARGET.fullmatch(text)
    if not found or not _is_address(text):
        raise ServiceError(
            f"not a target: {text!r:.80}", "Write `local`, `host`, `user@host` or `user@host:port`."
        )
    return Host(
        name=text,
        address=found["six"] or found["address"],
        port=int(found["port"] or 22),
        user=found["user"] or "root",
        key=key,
        jump=jump,
    )


def _is_address(text: str) -> bool:
    found = _TARGET.fullmatch(text)
    return bool(found and 0 < int(found["port"] or 22) < 65536)
