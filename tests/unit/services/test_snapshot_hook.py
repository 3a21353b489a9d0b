"""Snapshots of whole machines by the user's own commands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.policies.backup import SnapshotHookPolicy
from suture.services.snapshot_hook import CHECK, restore, take, taken
from tests.unit.core.builders import NOW, host

HOST = host("web1", address="192.0.2.7")
REPORT = StepReport("web1", Step.BUNDLE, Verdict.PASS, NOW, 1.0, transaction="ab12")


def hook(**fields: Any) -> SnapshotHookPolicy:
    return SnapshotHookPolicy(on="*", **fields)


async def test_the_id_is_kept_in_the_evidence() -> None:
    command = (
        'echo "snap-$SUTURE_HOST-$SUTURE_ADDRESS-$SUTURE_ROLLOUT-$SUTURE_TRANSACTION"; echo more'
    )
    report = await take(hook(command=command), HOST, "r1", REPORT)
    assert report.verdict is Verdict.PASS
    assert taken([REPORT, report], "web1") == "snap-web1-192.0.2.7-r1-ab12"
    assert taken([report], "web2") == ""


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"command": "echo no room >&2; exit 3"}, "it ended with status 3: no room"),
        ({"command": "true"}, "it printed no id"),
        ({"command": "echo 'two words'"}, "it printed no id"),
        ({"command": "sleep 9", "timeout": "1s"}, "it was not finished after 1 s"),
        ({"command": "echo a", "list": "echo b; echo c"}, "its list does not name a"),
        ({"command": "echo a", "list": "echo a; exit 1"}, "its list does not name a; it ended"),
    ],
)
async def test_without_a_snapshot_no_patch(fields: dict[str, str], reason: str) -> None:
    report = await take(hook(**fields), HOST, "r1", REPORT)
    assert report.verdict is Verdict.FAIL
    assert reason in report.reason
    assert not report.changed_host
    assert taken([report], "web1") == ""
    assert report.checks[-1].name == CHECK


async def test_a_machine_goes_back_to_its_snapshot(tmp_path: Path) -> None:
    done = tmp_path / "done"
    working = hook(command="echo a", restore=f'echo "$SUTURE_SNAPSHOT" >{done}')
    assert await restore(working, HOST, "r1", "snap-7") == ""
    assert done.read_text() == "snap-7\n"
    failing = hook(command="echo a", restore="exit 2")
    assert "status 2" in await restore(failing, HOST, "r1", "snap-7")
    assert "no restore command" in await restore(hook(command="x"), HOST, "r1", "a")
