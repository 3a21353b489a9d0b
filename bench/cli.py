"""The command itself: ``suture --help``, and a cold ``suture scan`` of one lab host."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from bench.measure import Figure, Report, booted_lab, run_child, suture_command
from lab.fleet import LabHost, Wanted

RUNS = 7


def run(runs: int) -> Report:
    suture = suture_command()
    with booted_lab() as lab:
        (server,) = lab.boot(Wanted("bench"))
        run_child([suture, "--help"])
        helps, bare, scans = [], [], []
        for _ in range(runs):
            helps.append(run_child([suture, "--help"]).seconds * 1000)
            bare.append(run_child([sys.executable, "-c", ""]).seconds * 1000)
            scans.append(_scan(suture, server))
    return Report(
        title="cli: from the shell's prompt and back",
        figures=(
            Figure("help_ms", "suture --help", tuple(helps), "ms", "≤ 200"),
            Figure("python_ms", "of it Python's own start", tuple(bare), "ms"),
            Figure("scan_s", "suture scan root@host --json, cold", tuple(scans), "s"),
        ),
        caveats=(
            "Each is a process of its own, from start to end. The files of the program are in "
            "memory after one run that is thrown away.",
            "A cold scan starts with an empty workspace and an unknown host key: it reads the "
            "facts, and has the host fetch and read the changelogs of all pending security updates "
            "from its archive. It makes no database.",
            "The host is a container on this machine and shares its cores; its archive is a "
            "mirror over the network.",
        ),
    )


def _scan(suture: str, server: LabHost) -> float:
    """Seconds of a scan that found something, in a workspace of its own."""
    with tempfile.TemporaryDirectory() as home:
        target = f"root@{server.address}:{server.made.ssh_port}"
        child = run_child(
            [suture, "scan", target, "-i", server.made.key, "--accept-new", "--json"],
            env={**os.environ, "SUTURE_HOME": str(Path(home) / "suture"), "HOME": home},
            accept=(1,),
        )
    report = json.loads(child.stdout)
    assert report["hosts"], report
    return child.seconds
