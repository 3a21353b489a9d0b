from __future__ import annotations

import pytest

from suture.cli.rehearsal_view import print_outcome
from suture.core.evidence import Check, Verdict
from suture.core.planning.plan import HeldBack
from suture.services.rehearsing import Outcome
from suture.twin.real_reboot import RealBoot
from suture.twin.rehearsal import Rehearsal
from tests.unit.core.builders import NOW


def test_many_suspects_leave_the_other_columns_whole(capsys: pytest.CaptureFixture[str]) -> None:
    suspects = tuple(f"package-{number}" for number in range(30))
    failed = Rehearsal(
        plan="0123456789ab",
        class_id="c",
        host="web1",
        verdict=Verdict.INCONCLUSIVE,
        reason="it broke",
        started_at=NOW,
        seconds=1.0,
        suspects=suspects,
    )
    held = tuple(HeldBack(name, "1", "it broke on a twin of web1") for name in suspects)
    print_outcome(Outcome("0123456789ab", Verdict.PASS, "", (failed,), (), held))
    printed = capsys.readouterr().out
    assert {"0123456789ab", "inconclusive"} <= set(printed.split())
    assert all(name in printed for name in suspects)
    assert printed.count("it broke on a twin") == 1


def test_tests_that_did_not_pass_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    suites = (
        Check("web: test_port, before the patch", Verdict.PASS),
        Check("web: test_port, with the patch", Verdict.FAIL, "nothing \x1b[2Jlistens"),
        *(Check(f"web: test_{number}", Verdict.INCONCLUSIVE, "skipped") for number in range(60)),
    )
    failed = Rehearsal("0123456789ab", "c", "web1", Verdict.FAIL, "", NOW, 1.0, suites=suites)
    print_outcome(Outcome("0123456789ab", Verdict.FAIL, "", (failed,), (), ()))
    printed = " ".join(capsys.readouterr().out.split())
    assert "Suites on web1: 1 of 62 results are a pass" in printed
    assert "fail web: test_port, with the patch: nothing" in printed
    assert "\x1b[2J" not in printed
    assert "and 21 more" in printed


def test_a_real_reboot_and_earlier_work_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    kernels = ("6.1.0-50-amd64 #1 SMP", "6.1.0-51-amd64 #1 SMP", "6.1.0-50-amd64 #1 SMP")
    passed = Rehearsal(
        plan="0123456789ab",
        class_id="c",
        host="web1",
        verdict=Verdict.PASS,
        reason="",
        started_at=NOW,
        seconds=200.0,
        regression=(Check("vulnerabilities closed earlier", Verdict.PASS, "7 are still closed"),),
        real_boot=RealBoot(Verdict.PASS, "", 150.0, "tcg", kernels),
    )
    print_outcome(Outcome("0123456789ab", Verdict.PASS, "", (passed,), (), ()))
    printed = " ".join(capsys.readouterr().out.split())
    assert "vulnerabilities closed earlier: 7 are still closed" in printed
    assert "virtual machine (in software)" in printed
    assert "6.1.0-50-amd64 → 6.1.0-51-amd64 → 6.1.0-50-amd64" in printed
