"""What a host uses: this machine's own answer, and answers that are none."""

from __future__ import annotations

import subprocess

import pytest

from suture.hosts.samples import parse
from suture.hosts.shell import source

WHOLE = """uptime - 14053.80
counter CPU 21890.8
counter disk 712.852
counter network-errors 3
gauge memory 2030.82
gauge load 2.17
end
"""


def test_every_number_has_its_place() -> None:
    reading = parse("a", WHOLE)
    assert reading is not None
    assert reading.uptime_s == 14053.80
    assert reading.counters == {"CPU": 21890.8, "disk": 712.852, "network errors": 3.0}
    assert reading.gauges == {"memory": 2030.82, "load": 2.17}


@pytest.mark.parametrize("text", ["", "end\n", WHOLE.removesuffix("end\n"), "x\n" * 1000])
def test_what_is_cut_off_or_no_answer_is_none(text: str) -> None:
    assert parse("a", text) is None


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "x", ""])
def test_what_is_no_number_is_left_out(value: str) -> None:
    reading = parse("a", WHOLE.replace("2.17", value))
    assert reading is not None
    assert "load" not in reading.gauges


def test_this_machine_answers() -> None:
    done = subprocess.run(["sh"], input=source("samples"), capture_output=True, text=True)
    reading = parse("here", done.stdout)
    assert reading is not None
    assert reading.counters.keys() == {"CPU", "disk", "network errors"}
    assert reading.gauges.keys() == {"memory", "load"}
    assert reading.gauges["memory"] > 1
