"""What counts as undone by a patch, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from suture.core.evidence import Check, Verdict
from suture.twin.regression import FileState, Snapshot, judge_patched, judge_returned, reopened

CONF = "/etc/nginx/nginx.conf"
SYSCTL = Check("control ptrace", Verdict.PASS, "in its file")
START = Snapshot({}, {CONF: FileState("f:644:0:0:aa", own=True)}, {SYSCTL.name: SYSCTL})


def _after(**fields: Any) -> Snapshot:
    whole = {"open": START.open, "files": START.files, "controls": START.controls}
    return Snapshot(**whole | fields)


def _failed(checks: tuple[Check, ...]) -> list[str]:
    return [check.name for check in checks if check.verdict is Verdict.FAIL]


def test_what_stays_as_it_was_passes() -> None:
    checks = judge_patched(("CVE-2026-1",), (), START, _after())
    assert {check.verdict for check in checks} == {Verdict.PASS}
    assert [check.name for check in checks] == [
        "vulnerabilities closed earlier",
        "configuration changed earlier",
        "control ptrace, in force",
    ]


def test_a_vulnerability_that_is_open_again_fails_and_names_its_source() -> None:
    after = _after(open={"CVE-2026-1": "openssl", "CVE-2026-2": "zlib"})
    checks = judge_patched(("CVE-2026-1", "CVE-2026-3"), (), START, after)
    assert "open again: CVE-2026-1 (openssl)" in checks[0].detail
    assert "CVE-2026-2" not in checks[0].detail
    assert reopened(("CVE-2026-1",), START, after) == ("openssl",)


def test_what_was_open_before_the_patch_is_said_and_not_its_doing() -> None:
    opened = _after(open={"CVE-2026-1": "openssl"})
    checks = judge_patched(("CVE-2026-1",), (), opened, opened)
    assert (checks[0].verdict, "before the patch already" in checks[0].detail) == (
        Verdict.PASS,
        True,
    )


@pytest.mark.parametrize(
    ("before_own", "state", "after_own", "fails"),
    [
        (True, "f:644:0:0:bb", True, False),  # the package brings a new version
        (False, "f:644:0:0:bb", True, True),  # an administrator's changes are gone
        (True, "f:644:0:0:bb", False, True),  # a script wrote to it
        (True, "", False, True),  # it is gone
    ],
)
def test_a_file_may_only_follow_its_package(
    before_own: bool, state: str, after_own: bool, fails: bool
) -> None:
    before = _after(files={CONF: FileState("f:644:0:0:aa", before_own)})
    after = _after(files={CONF: FileState(state, after_own)} if state else {})
    name = "configuration changed earlier"
    assert _failed(judge_patched((), (), before, after)) == ([name] if fails else [])
    assert _failed(judge_patched((), (CONF,), before, after)) == []
    assert _failed(judge_returned(before, after)) == [f"{name}, after the way back"]


def test_a_control_that_is_not_in_force_any_more_fails() -> None:
    gone = Check(SYSCTL.name, Verdict.FAIL, "is not as it was written")
    after = _after(controls={gone.name: gone})
    assert _failed(judge_patched((), (), START, after)) == ["control ptrace, in force"]
    assert _failed(judge_patched((), (), after, after)) == []
    silent = judge_patched((), (), START, _after(controls={}))
    assert silent[-1].verdict is Verdict.INCONCLUSIVE


def test_what_could_not_be_looked_at_is_inconclusive() -> None:
    checks = judge_patched((), (), START, _after(unread="the script ended early"))
    assert checks[0].verdict is Verdict.INCONCLUSIVE


def test_after_the_way_back_all_is_open_that_was() -> None:
    start = _after(open={"CVE-2026-1": "openssl"})
    assert _failed(judge_returned(start, start)) == []
    assert _failed(judge_returned(start, _after())) == ["open vulnerabilities after the way back"]
