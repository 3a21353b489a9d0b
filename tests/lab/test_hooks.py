"""Hooks on a real host, and what it says that it uses."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

import pytest

from lab.fleet import LabHost
from suture.core.evidence import Step, Verdict
from suture.core.planning.hooks import Hook, HookPhase, Place
from suture.hosts import samples
from suture.hosts.hooks import run_hooks
from suture.hosts.session import PatchSession
from tests.lab.probe import sh
from tests.unit.core.builders import host_plan

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("hooks")]

VARIABLES = {"SUTURE_HOST": "server; touch /run/injected", "SUTURE_OUTCOME": ""}


def _session(server: LabHost, plan_id: str, *commands: str) -> PatchSession:
    hooks = tuple(Hook(HookPhase.DRAIN, Place.HOST, one, 5.0) for one in commands)
    return PatchSession(
        plan=host_plan(server.host.name, hooks=hooks),
        plan_id=plan_id,
        connect=server.connect,
        now=lambda: datetime.now(UTC),
    )


async def test_a_hook_on_the_host_runs_once_however_often_it_is_asked_for(server: LabHost) -> None:
    command = 'echo "$SUTURE_PHASE $SUTURE_HOST" | tee -a /run/hooked'
    plan_id = uuid.uuid4().hex
    for _ in range(2):
        async with _session(server, plan_id, command) as session:
            report = await run_hooks(session, Step.DRAIN, VARIABLES)
        assert report.verdict is Verdict.PASS, report.reason
        assert report.log.endswith("drain server; touch /run/injected\n")
    async with server.connect() as transport:
        found = await sh(transport, "cat /run/hooked; ls /run/injected 2>/dev/null || true")
    assert found == "drain server; touch /run/injected\n"


async def test_a_hook_that_fails_or_does_not_end_says_so(server: LabHost) -> None:
    async with _session(server, uuid.uuid4().hex, "echo why; exit 4", "true") as session:
        report = await run_hooks(session, Step.DRAIN, VARIABLES)
    assert report.verdict is Verdict.FAIL
    assert report.reason == "echo why; exit 4 on the host: exit status 4"
    assert not report.changed_host
    async with _session(server, uuid.uuid4().hex, "sleep 60") as session:
        report = await run_hooks(session, Step.DRAIN, VARIABLES)
    assert "it was stopped after 5 s" in report.reason


async def test_a_host_says_what_it_uses(server: LabHost) -> None:
    async with server.connect() as transport:
        first = await samples.read(transport)
        await asyncio.sleep(1)
        second = await samples.read(transport)
    assert second.uptime_s > first.uptime_s
    assert first.counters.keys() == {"CPU", "disk", "network errors"}
    assert first.gauges.keys() == {"memory", "load"}
