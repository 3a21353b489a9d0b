"""Data that a plan has a host keep before it is touched: directories, and dumps of databases."""

from __future__ import annotations

import re
from enum import StrEnum

from suture.core.documents import Document


class SnapshotRule(StrEnum):
    """Whether file system snapshots belong to a return bundle; REQUIRED: without, no patch."""

    NEVER = "never"
    WHERE_POSSIBLE = "where-possible"
    REQUIRED = "required"


_SYSTEM = (
    "/",
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/sys",
    "/usr",
    "/var",
    "/var/lib",
)
_NEVER_BELOW = ("/dev/", "/proc/", "/run/", "/sys/", "/var/lib/dpkg/", "/var/lib/suture/")


def is_data_path(path: str) -> bool:
    """Whether a directory may be kept and replaced as data: no part of the system, and nothing
    that is not what it says."""
    parts = path.split("/")
    return (
        path.startswith("/")
        and path not in _SYSTEM
        and not any(part in ("", ".", "..") for part in parts[1:])
        and not f"{path}/".startswith(_NEVER_BELOW)
    )


def is_dump_name(name: str) -> bool:
    """Whether a dump may be called so: it becomes a file's name."""
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name) is not None


class DataDirectory(Document, frozen=True):
    """An absolute path, archived without what is mounted below it; more than ``max_bytes`` of it
    and the host is left alone. ``units`` stand still while it is put back."""

    path: str
    max_bytes: int
    units: tuple[str, ...] = ()


class Dump(Document, frozen=True):
    """``command`` is run as root on the host; its standard output is the dump. It counts with exit
    status 0 and output, and where ``verify`` ends with 0, which gets the dump on standard input,
    as ``restore`` does. Each may take ``timeout_s`` seconds.
    """

    name: str
    command: str
    restore: str = ""
    verify: str = ""
    timeout_s: int = 1800


class DataBackup(Document, frozen=True):
    """All that is kept of one host besides packages and configuration."""

    directories: tuple[DataDirectory, ...] = ()
    dumps: tuple[Dump, ...] = ()
    snapshots: SnapshotRule = SnapshotRule.NEVER
