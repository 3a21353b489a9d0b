"""A control group of its own for each container on machines whose init is not systemd.

Without one, two containers would find their services in the same groups, and stopping a service
in one would reach into the other. Where systemd runs, it gives each container a scope.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path


def systemd_runs() -> bool:
    return Path("/run/systemd/system").is_dir()


def enter(name: str) -> tuple[str, ...]:
    """Move this process into new groups ``name`` below its own, one in each of systemd's
    hierarchies; their paths."""
    groups = [parent / name for parent in _own_groups()]
    for group in groups:
        group.mkdir(exist_ok=True)
        (group / "cgroup.procs").write_text(str(os.getpid()))
    return tuple(str(group) for group in groups)


def leave(groups: Iterable[str]) -> None:
    """Move this process out of the groups that :func:`enter` made."""
    for group in groups:
        (Path(group).parent / "cgroup.procs").write_text(str(os.getpid()))


def remove(groups: Iterable[str], *, timeout_s: float = 10.0) -> bool:
    """Kill every process in the groups and remove them; whether they are gone."""
    groups = tuple(groups)
    deadline = time.monotonic() + timeout_s
    while any(Path(group).exists() for group in groups) and time.monotonic() < deadline:
        for group in groups:
            for directory, _, _ in os.walk(group, topdown=False):
                _kill_members(Path(directory))
                with suppress(OSError):
                    Path(directory).rmdir()
        time.sleep(0.01)
    return not any(Path(group).exists() for group in groups)


def usage(leader: int) -> tuple[float | None, int]:
    """CPU seconds of the container whose init is ``leader``, None where its group does not count
    them, and the bytes of memory that its processes hold for themselves."""
    group = _group_of(leader)
    if group is None:
        return None, 0
    cpu_s = None
    with suppress(OSError, ValueError):
        words = (group / "cpu.stat").read_text().split()
        cpu_s = int(words[words.index("usage_usec") + 1]) / 1e6
    pids = (pid for directory, _, _ in os.walk(group) for pid in _members(Path(directory)))
    return cpu_s, sum(_own_memory(pid) for pid in pids)


def _group_of(leader: int) -> Path | None:
    """The unified group that holds all of the container."""
    mount = _mounts().get("")
    with suppress(OSError):
        for line in Path(f"/proc/{leader}/cgroup").read_text().splitlines():
            if mount and line.startswith("0::"):
                return Path(mount + line[3:].removesuffix("/init.scope"))
    return None


def _members(group: Path) -> list[str]:
    with suppress(OSError):
        return (group / "cgroup.procs").read_text().split()
    return []


def _own_memory(pid: str) -> int:
    with suppress(OSError, ValueError, IndexError):
        _, resident, shared, *_ = map(int, Path(f"/proc/{pid}/statm").read_text().split())
        return max(0, resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _kill_members(group: Path) -> None:
    with suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)


def _own_groups() -> Iterator[Path]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        mount = _mounts().get("name=systemd" if controllers else "")
        if controllers in ("", "name=systemd") and mount:
            yield Path(mount + path)


def _mounts() -> dict[str, str]:
    """Where systemd's own hierarchy and the unified one (``""``) are mounted."""
    found = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        kind, _, options = source.split(" ", 2)
        if kind == "cgroup2":
            found[""] = mount.split(" ")[4]
        elif kind == "cgroup" and "name=systemd" in options.split(","):
            found["name=systemd"] = mount.split(" ")[4]
    return found
