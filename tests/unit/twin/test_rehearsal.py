"""A rehearsal with a suite, whose steps only pretend and whose twin is a directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.policies.suites import SuiteKind
from suture.core.suites import Suite, SuiteFile
from suture.hosts.session import PatchSession
from suture.twin import rehearsal
from suture.twin.clone import Clone
from suture.twin.machine import Twins
from suture.twin.rehearsal import Rehearsal, Rehearser
from tests.unit.core import builders
from tests.unit.twin.directory_twin import DirectoryTwin

PLAN = builders.host_plan(
    "web1",
    checks=(),
    changes=(builders.change("good", source="good"), builders.change("bad", source="bad")),
)
Function = Callable[[PatchSession], Awaitable[StepReport]]


@dataclass
class _Twins:
    root: Path
    booted: list[DirectoryTwin] = field(default_factory=list)

    @asynccontextmanager
    async def boot(self, clone: Clone, packages: Path) -> AsyncIterator[DirectoryTwin]:
        twin = DirectoryTwin(self.root / str(len(self.booted)))
        twin.root.mkdir(parents=True)
        self.booted.append(twin)
        yield twin


def _report(step: Step) -> StepReport:
    changed = step is Step.APPLY
    return StepReport("web1", step, Verdict.PASS, builders.NOW, 1.0, changed_host=changed)


@pytest.fixture
def twins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _Twins:
    """Twins on which a patch is a file with the names of its sources."""
    twins = _Twins(tmp_path)

    async def apply(session: PatchSession) -> StepReport:
        names = " ".join(change.source for change in session.plan.changes)
        (twins.booted[-1].root / "patched").write_text(names)
        return _report(Step.APPLY)

    async def roll_back(session: PatchSession) -> StepReport:
        (twins.booted[-1].root / "patched").unlink()
        return _report(Step.ROLL_BACK)

    async def provide(way: object) -> None:
        return

    monkeypatch.setattr(rehearsal, "SEQUENCE", ((Step.APPLY, apply),))
    monkeypatch.setattr(rehearsal, "WAY_BACK", ((Step.ROLL_BACK, roll_back),))
    monkeypatch.setattr(rehearsal, "provide_packages", provide)
    return twins


async def _rehearse(twins: _Twins, command: str) -> Rehearsal:
    """With a suite whose command is run where the twin keeps its state."""
    script = f"#!/bin/sh\ncd ../.. && {command}\n"
    file = SuiteFile("run", script.encode(), executable=True)
    suite = Suite("web", SuiteKind.COMMAND, 10.0, "run", (file,))
    clone = Clone("web1", "/", (), (), builders.NOW, 0, 0.0)
    rehearser = Rehearser(cast(Twins, twins), clone, twins.root, suites=(suite,))
    return await rehearser.rehearse("0123456789ab", PLAN)


async def test_a_test_that_the_patch_breaks_fails_it_and_finds_the_package(twins: _Twins) -> None:
    found = await _rehearse(twins, "! grep -s bad patched")
    assert found.verdict is Verdict.FAIL
    assert found.reason == "suites: web, with the patch: exit status 1: good bad"
    assert found.suspects == ("bad",)
    assert [(check.name, check.verdict) for check in found.suites] == [
        ("web, before the patch", Verdict.PASS),
        ("web, with the patch", Verdict.FAIL),
        ("web, after the way back", Verdict.PASS),
    ]


async def test_a_test_that_passes_throughout_passes(twins: _Twins) -> None:
    found = await _rehearse(twins, "true")
    assert (found.verdict, found.reason, len(found.suites)) == (Verdict.PASS, "", 3)


async def test_what_the_way_back_breaks_fails(twins: _Twins) -> None:
    found = await _rehearse(twins, '{ echo >>runs; [ "$(wc -l <runs)" -lt 3 ]; }')
    assert found.verdict is Verdict.FAIL
    assert found.reason.startswith("suites: web, after the way back: exit status 1")


async def test_a_suite_that_proves_nothing_leaves_the_twin_unpatched(twins: _Twins) -> None:
    found = await _rehearse(twins, "false")
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "no test of the suites passes on the twin before the patch" in found.reason
    assert found.reports == ()
