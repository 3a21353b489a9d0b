"""The way into a twin for programs that speak SSH by themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.fleet import LabHost
from suture.core.evidence import Check, Verdict
from suture.core.policies.suites import SuiteKind
from suture.core.policy import TwinPolicy
from suture.core.suites import Suite, SuiteFile
from suture.twin.machine import Twins
from suture.twin.suites import run_suite

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("twin")]

# Plays pytest: one test, which passes where a command over SSH runs on the twin as root.
_PYTEST = r"""#!/bin/sh
for one; do
    case $one in
    --junit-xml=*) report=${one#*=} ;;
    --ssh-config=*) config=${one#*=} ;;
    esac
done
said=$(ssh -F "$config" twin 'id -u; cat /etc/hostname; touch /root/was-here' 2>&1 </dev/null)
echo "<t><testcase name='$(echo $said)'/></t>" >"$report"
"""


async def test_programs_reach_a_twin_over_ssh_without_any_network(
    server: LabHost, tmp_path: Path
) -> None:
    python = tmp_path / "python"
    python.write_text(_PYTEST)
    python.chmod(0o755)
    twins = Twins(tmp_path / "twins")
    async with server.connect() as transport:
        clone = await twins.clone(
            transport,  # type: ignore[arg-type]
            "suites",
            TwinPolicy().exclude,
        )
    files = (SuiteFile("run", b"#!/bin/sh\nrm /root/was-here\n", executable=True),)
    site = Suite("site", SuiteKind.TESTINFRA, 60.0, "", files, python=str(python))
    smoke = Suite("smoke", SuiteKind.COMMAND, 60.0, "run", files)
    async with twins.boot(clone) as twin:
        (over_ssh,) = (await run_suite(site, twin)).checks
        assert over_ssh.name.startswith("0 ")
        async with twin.connect() as way:
            left = await way.run("ls /run/suture-way-in /var/lib/suture/suite.*\n")
        assert left.stdout == b""
        assert (await run_suite(smoke, twin)).checks == (Check("", Verdict.PASS, "exit status 0"),)
        assert (await run_suite(smoke, twin)).checks[0].verdict is Verdict.FAIL
