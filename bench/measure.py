"""What the benchmarks share: figures, child processes with their CPU, the lab, and tables."""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from lab import requirements
from lab.fleet import Lab, LabHost


class UnmetError(Exception):
    """The machine lacks what a benchmark needs; the message names the remedy."""


@dataclass(frozen=True)
class Figure:
    """One claim: ``key`` in JSON, a label for people, one value a run, the goal if there is one."""

    key: str
    label: str
    values: tuple[float, ...]
    unit: str = ""
    goal: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True)
class Report:
    """Figures, and what a reader must know before believing them."""

    title: str
    figures: tuple[Figure, ...]
    caveats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Child:
    """A finished child process; ``cpu_s`` includes its own children that it waited for."""

    seconds: float
    cpu_s: float
    exit: int
    stdout: bytes


def run_child(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    accept: tuple[int, ...] = (0,),
) -> Child:
    """Run a process to its end; no other child may end meanwhile, or its CPU counts as well."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(list(argv), input=stdin, env=env, capture_output=True, check=False)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in accept:
        said = (done.stderr or done.stdout).decode(errors="replace")[-2000:]
        raise RuntimeError(f"{argv[0]} ended with status {done.returncode}: {said}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Child(seconds, cpu_s, done.returncode, done.stdout)


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    """Ours to theirs, pair by pair: both of a pair met the machine in the same state."""
    return tuple(one / other for one, other in zip(ours, theirs, strict=True))


@contextmanager
def booted_lab() -> Iterator[Lab]:
    """The lab's hosts, gone at the end however it comes."""
    missing = requirements.missing()
    if missing:
        raise UnmetError("the lab needs " + "; ".join(missing))
    with Lab() as lab:
        yield lab


def host_cpu_s(server: LabHost) -> float:
    """Seconds of CPU that a lab host has used since its boot, from its control group."""
    (own,) = (line for line in _lines(f"/proc/{server.leader.pid}/cgroup") if line[:3] == "0::")
    group = own[3:].removesuffix("/init.scope")
    mount = next(m for m in _lines("/proc/self/mountinfo") if " - cgroup2 " in m).split()[4]
    (used,) = (m for m in _lines(f"{mount}{group}/cpu.stat") if m.startswith("usage_usec "))
    return int(used.split()[1]) / 1e6


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def need(tool: str, package: str) -> None:
    """Raises :class:`UnmetError` where ``tool`` is not installed."""
    if shutil.which(tool) is None:
        raise UnmetError(
            f"{tool} is missing: run `apt-get install --no-install-recommends {package}`"
        )


def suture_command() -> str:
    """The installed ``suture`` beside this interpreter."""
    path = Path(sys.executable).parent / "suture"
    if not path.is_file():
        raise UnmetError(f"{path} is missing: run `make install`")
    return str(path)


def flat(report: Report) -> dict[str, float]:
    """The medians by key, with the least and the most of each, and the number of runs."""
    figures: dict[str, float] = {}
    for figure in report.figures:
        figures[figure.key] = _rounded(figure.median)
        figures[f"{figure.key}_min"] = _rounded(min(figure.values))
        figures[f"{figure.key}_max"] = _rounded(max(figure.values))
        figures[f"{figure.key}_runs"] = len(figure.values)
    return figures


def show(report: Report, console: Console) -> None:
    table = Table(title=report.title, title_justify="left", title_style="bold")
    table.add_column("figure", no_wrap=True)
    table.add_column("what")
    for heading in ("median", "min–max", "runs"):
        table.add_column(heading, justify="right")
    table.add_column("goal")
    for figure in report.figures:
        low, high = written(min(figure.values)), written(max(figure.values))
        table.add_row(
            figure.key,
            figure.label,
            f"{written(figure.median)} {figure.unit}".strip(),
            f"{low}–{high}",
            str(len(figure.values)),
            figure.goal,
        )
    notes = (Text(f"· {caveat}") for caveat in report.caveats)
    console.print(Group(table, *notes))


def written(value: float) -> str:
    """Three significant digits, never scientific; whole numbers from 100."""
    if abs(value) >= 100:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{2 if abs(value) < 10 else 1}f}"


def _rounded(value: float) -> float:
    return round(value, 4)
