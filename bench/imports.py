"""Scanner reports of 500 MB, in each format: how long an import takes, and how much memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench.measure import Figure, Report, run_child, suture_command
from bench.reports import SHAPES, Shape, address, write, write_knowledge

RUNS = 1
SIZE = 500_000_000
SMALL = 20_000_000


def run(runs: int) -> Report:
    suture = suture_command()
    figures = []
    for name, shape in SHAPES.items():
        took, peak = zip(*(_import(suture, shape, SIZE) for _ in range(runs)), strict=True)
        small = tuple(_import(suture, shape, SMALL)[1] for _ in range(runs))
        figures += [
            Figure(f"{name}_s", f"{name}, 500 MB", took, "s"),
            Figure(f"{name}_rss_mb", "  most memory at once", peak, "MB", "≤ 250"),
            Figure(f"{name}_small_rss_mb", "  the same for 20 MB", small, "MB"),
        ]
    took, peak = zip(*(_knowledge(suture, SIZE) for _ in range(runs)), strict=True)
    figures += [
        Figure("knowledge_s", "qualys KnowledgeBase, 500 MB", took, "s"),
        Figure("knowledge_rss_mb", "  most memory at once", peak, "MB", "≤ 250"),
    ]
    return Report(
        title="imports: scanner reports from the file to the comparison",
        figures=tuple(figures),
        caveats=(
            "`suture import` as a process of its own: it reads, stores, places every host by name, "
            "and compares; the hosts are enrolled but were never scanned by Suture.",
            "The reports are made up, with 250 checks a host and 2 kB of prose a check.",
        ),
    )


def _import(suture: str, shape: Shape, size: int) -> tuple[float, float]:
    """Seconds, and the most memory in MB."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / f"report{shape.suffix}"
        hosts = write(file, shape, size)
        env = {**os.environ, "SUTURE_HOME": str(Path(directory) / "suture")}
        enrol = "".join(
            f"web{host}.example.org ansible_host={address(host)}\n" for host in range(hosts)
        )
        run_child([suture, "hosts", "import", "-"], stdin=enrol.encode(), env=env)
        seconds, code, peak = _timed([suture, "import", str(file), "--json"], env)
        assert code == 3, "the hosts were never scanned"
    return seconds, peak


def _knowledge(suture: str, size: int) -> tuple[float, float]:
    """Seconds, and the most memory in MB."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "knowledge.xml"
        write_knowledge(file, size)
        env = {**os.environ, "SUTURE_HOME": str(Path(directory) / "suture")}
        seconds, code, peak = _timed([suture, "import", str(file), "--json"], env)
        assert code == 0
    return seconds, peak


def _timed(command: list[str], env: dict[str, str]) -> tuple[float, int, float]:
    """Seconds, the exit code, and the most memory in MB."""
    began = time.perf_counter()
    child = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - began, child.returncode, usage.ru_maxrss / 1000
