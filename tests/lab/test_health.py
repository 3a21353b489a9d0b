"""Health checks asked on a real host with a real web server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lab.fleet import LabHost
from suture.core.evidence import Verdict
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.hosts.health import check_health
from suture.hosts.patching import PatchSession
from tests.lab.probe import host_plan, sh

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("health")]


async def ask(server: LabHost, *checks: HealthCheck, wait_s: int = 0) -> list[Verdict]:
    session = PatchSession(
        plan=host_plan(server.name),
        plan_id="health",
        connect=server.connect,
        now=lambda: datetime.now(UTC),
    )
    try:
        answers = await check_health(session, checks, wait_s=wait_s)
        return [answer.verdict for answer in answers]
    finally:
        await session.close()


def http(url: str, status: int = 200, body: str = "") -> HealthCheck:
    return HealthCheck(HealthCheckKind.HTTP, url, status=status, body=body, timeout_s=5)


@pytest.mark.parametrize("gone", ["", "curl", "curl wget"])
async def test_http_is_asked_with_what_the_host_has(server: LabHost, gone: str) -> None:
    checks = (
        http(server.web),
        http(server.web + "missing-page", status=404, body="Not Found"),
        http(server.web, status=301),
        http(server.web, body="words that are not there"),
        http("http://127.0.0.1:1/"),
    )
    async with server.connect() as transport:
        await sh(
            transport,
            f"for tool in {gone}; do"
            " [ ! -e /usr/bin/$tool ] || mv /usr/bin/$tool /usr/bin/$tool.away; done",
        )
        try:
            verdicts = await ask(server, *checks)
        finally:
            await sh(
                transport,
                f"for tool in {gone}; do"
                " [ ! -e /usr/bin/$tool.away ] || mv /usr/bin/$tool.away /usr/bin/$tool; done",
            )
    assert verdicts == [Verdict.PASS, Verdict.PASS, Verdict.FAIL, Verdict.FAIL, Verdict.FAIL]


async def test_units_ports_and_commands(server: LabHost) -> None:
    port = server.web.split("://")[1].strip("/")
    verdicts = await ask(
        server,
        HealthCheck(HealthCheckKind.UNIT, "nginx.service"),
        HealthCheck(HealthCheckKind.UNIT, "no-such.service"),
        HealthCheck(HealthCheckKind.PORT, port if ":" in port else f"{port}:80"),
        HealthCheck(HealthCheckKind.PORT, f"{server.address}:1"),
        HealthCheck(HealthCheckKind.COMMAND, "nginx -t && test \"$(echo 'a b')\" = 'a b'"),
        HealthCheck(HealthCheckKind.COMMAND, "exit 3"),
        HealthCheck(HealthCheckKind.COMMAND, "sleep 30", timeout_s=1),
    )
    well, ill = Verdict.PASS, Verdict.FAIL
    assert verdicts == [well, ill, well, ill, well, ill, ill]


async def test_a_service_gets_its_time_to_come_up(server: LabHost) -> None:
    late = HealthCheck(HealthCheckKind.COMMAND, "! mkdir /run/probe-first-time")
    async with server.connect() as transport:
        await sh(transport, "rm -rf /run/probe-first-time")
        assert await ask(server, late, wait_s=10) == [Verdict.PASS]
        await sh(transport, "rm -rf /run/probe-first-time")
        assert await ask(server, late, wait_s=0) == [Verdict.FAIL]
