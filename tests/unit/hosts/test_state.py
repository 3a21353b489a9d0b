"""Which units count as failed: the script's own answer, with a systemctl of the test's making."""

from __future__ import annotations

import subprocess

from suture.hosts.shell import program

_SYSTEMCTL = """
has_systemd() { true; }
systemctl() {
    case $* in
    *--state=failed*) echo "mail.service loaded failed failed Mail" ;;
    *--state=activating*)
        echo "waits.service loaded activating auto-restart Waits for its next start"
        echo "starts.service loaded activating start Starts once more"
        echo "first.service loaded activating start Starts for the first time"
        echo "slow.device loaded activating tentative Has no restarts"
        ;;
    *NRestarts*starts.service) echo 3 ;;
    *NRestarts*.service) echo 0 ;;
    esac
}
"""


def test_a_unit_that_is_started_again_and_again_has_failed() -> None:
    script = program("common", "state") + _SYSTEMCTL + "failed_units\n"
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, text=True)
    assert done.stdout.split() == ["mail.service", "starts.service", "waits.service"]
