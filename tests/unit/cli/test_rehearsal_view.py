from __future__ import annotations

import pytest

from suture.cli.rehearsal_view import print_outcome
from suture.core.evidence import Verdict
from suture.core.planning.plan import HeldBack
from suture.services.rehearsing import Outcome
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
