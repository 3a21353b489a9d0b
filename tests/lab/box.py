"""A host with a package whose versions do what a test needs, and sessions on it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from lab.fleet import LabHost
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import HostPlan
from suture.hosts.patching import SEQUENCE, WAY_BACK, PatchSession, PatchSettings
from suture.hosts.transport import Transport
from tests.lab import probe
from tests.lab.probe import CONFFILE, NAME, sh

ALIVE = HealthCheck(HealthCheckKind.UNIT, f"{NAME}.service")

SETTINGS = PatchSettings(reconnect_s=60, lock_wait_s=3, health_wait_s=4)


@dataclass
class Box:
    """A host with ``suture-probe`` 1.0 installed, and sessions on it."""

    server: LabHost
    transport: Transport
    sessions: list[PatchSession] = field(default_factory=list)

    async def plan(self, *versions: str, checks: tuple[HealthCheck, ...] = (ALIVE,)) -> HostPlan:
        change = await probe.change(self.transport, "1.0", *versions)
        return probe.host_plan(self.server.host.name, change, checks=checks)

    def session(self, plan: HostPlan, plan_id: str = "", **options: Any) -> PatchSession:
        session = PatchSession(
            plan=plan,
            plan_id=plan_id or uuid.uuid4().hex,
            connect=self.server.connect,
            now=lambda: datetime.now(UTC),
            settings=options.pop("settings", SETTINGS),
            **options,
        )
        self.sessions.append(session)
        return session

    async def version(self, name: str = NAME) -> str:
        return await sh(
            self.transport,
            f"dpkg-query -W -f '${{Version}} ${{db:Status-Status}}' {name} 2>/dev/null || true",
        )

    async def sh(self, script: str) -> str:
        return await sh(self.transport, script)


@pytest.fixture
async def box(server: LabHost) -> AsyncIterator[Box]:
    async with server.connect() as transport:
        box = Box(server, transport)
        await box.sh(
            f"dpkg --purge --force-all {NAME} {NAME}-extra >/dev/null 2>&1\n"
            f"rm -rf {probe.ARCHIVE}/* {CONFFILE}* /var/lib/suture/cache/{NAME}*"
        )
        await probe.publish(transport, "1.0")
        await probe.install(transport, "1.0")
        yield box
        for session in box.sessions:
            await session.close()


async def run(session: PatchSession, until: Step) -> StepReport:
    """The steps up to ``until``; every one before must pass."""
    for step, function in SEQUENCE:
        report = await function(session)
        if step is until:
            return report
        assert report.verdict is Verdict.PASS, report.reason
    raise AssertionError(until)


async def take_back(session: PatchSession) -> StepReport:
    for _, function in WAY_BACK:
        report = await function(session)
    return report
