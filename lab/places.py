"""Where the lab keeps things, and what must exclude each other."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache() -> Path:
    """What is worth keeping: roots and the repository."""
    return _directory("SUTURE_LAB_CACHE", "/var/cache/suture-lab")


def hosts() -> Path:
    """The running hosts; needs a file system that an overlay can write to."""
    return _directory("SUTURE_LAB_HOSTS", "/var/lib/suture-lab")


def numbers() -> Path:
    """Which host of the machine has which number, wherever the hosts are kept."""
    path = Path("/run/suture-lab")
    path.mkdir(mode=0o755, exist_ok=True)
    return path


def _directory(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, default))
    path.mkdir(mode=0o755, parents=True, exist_ok=True)
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def discard_cache() -> int:
    """Delete the roots and the archive, which no host may stand on; how many directories."""
    count = 0
    for lock in cache().glob("*.lock"):
        with locked(lock):
            for kept in (*cache().glob(f"{lock.stem}-*"), *cache().glob(f"part-{lock.stem}-*")):
                shutil.rmtree(kept)
                count += 1
    return count
