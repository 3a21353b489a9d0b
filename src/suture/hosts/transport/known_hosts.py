"""Pinned host keys, in a file of our own in OpenSSH's format.

Keys in the user's own ``known_hosts`` count as pinned: whoever set up the hosts by hand has
answered for them already, and the file is read, never written.
"""

from __future__ import annotations

import os
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from suture.core.documents import Document

if TYPE_CHECKING:
    import asyncssh

_PATTERNS = set("*?!,|")


class FirstUse(StrEnum):
    """What happens at the first sight of a host. A changed key is refused in every case."""

    ASK = "ask"
    ACCEPT_NEW = "accept-new"
    STRICT = "strict"


class Pinned(Document, frozen=True):
    """Keys trusted for a host, as asyncssh wants them: host keys, authorities, revoked ones."""

    keys: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()


class KnownHosts:
    """The store at ``path`` (0600, created at the first pin) and, read-only, ``also``.

    Raises ``ValueError`` where the store's own file is damaged.
    """

    def __init__(self, path: Path, *, also: Path | None = None) -> None:
        self._path = path
        self._also = also

    @classmethod
    def with_users_own(cls, path: Path) -> KnownHosts:
        return cls(path, also=Path.home() / ".ssh" / "known_hosts")

    def pinned(self, address: str, port: int) -> Pinned:
        """What is trusted for this address and port; a key of another port does not count."""
        own = _match(self._text(), address, port, self._path)
        if self._also is None:
            return own
        try:
            other = _match(_read(self._also), address, port, self._also)
        except ValueError:
            return own
        return Pinned(
            keys=(*own.keys, *other.keys),
            authorities=(*own.authorities, *other.authorities),
            revoked=(*own.revoked, *other.revoked),
        )

    def fingerprints(self, address: str, port: int) -> tuple[str, ...]:
        """``SHA256:…`` of each key pinned for the host."""
        return tuple(key.get_fingerprint() for key in self.pinned(address, port).keys)

    def pin(self, address: str, port: int, key: asyncssh.SSHKey) -> None:
        """Trust ``key`` for the host from now on."""
        public = key.export_public_key("openssh").decode().split()
        self._write(self._text() + f"{_name(address, port)} {public[0]} {public[1]}\n")

    def forget(self, address: str, port: int) -> bool:
        """Remove the host's keys from our store; whether there were any."""
        name = _name(address, port)
        lines = self._text().splitlines(keepends=True)
        kept = [line for line in lines if line.split(None, 1)[:1] != [name]]
        if len(kept) == len(lines):
            return False
        self._write("".join(kept))
        return True

    def _text(self) -> str:
        return _read(self._path)

    def _write(self, text: str) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=self._path.parent, prefix=".known_hosts.")
        try:
            with os.fdopen(handle, "w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            Path(part).replace(self._path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, PermissionError):
        return ""


def _name(address: str, port: int) -> str:
    if not address.isascii() or not address.isprintable() or set(address) & (_PATTERNS | {" "}):
        raise ValueError(f"not an address: {address!r:.80}")
    return address if port == 22 else f"[{address}]:{port}"


def _match(text: str, address: str, port: int, path: Path) -> Pinned:
    import asyncssh

    try:
        known = asyncssh.import_known_hosts(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    # The name is spelt with its port here, as asyncssh would fall back to a key of port 22.
    keys, authorities, revoked, *_ = known.match(_name(address, port), "", None)
    return Pinned(tuple(keys), tuple(authorities), tuple(revoked))
