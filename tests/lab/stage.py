"""A host and everything to rehearse it with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from lab.fleet import LabHost
from lab.repository import ORIGIN_PATTERN
from suture.core.evidence import Verdict
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import Plan
from suture.core.planning.planner import make_plan
from suture.core.policy import Policy, TwinPolicy
from suture.core.selection.ledger import SelectionRules
from suture.core.selection.selector import select
from suture.hosts.facts import collect
from suture.hosts.patching import PatchSession, acquire
from suture.hosts.transport import Transport
from suture.twin.clone import Clone
from suture.twin.load import LoadSettings
from suture.twin.machine import Twins
from suture.twin.package_files import fetch_packages
from suture.twin.regression import Regression
from suture.twin.rehearsal import Rehearsal, Rehearser

SECRET = "/root/.ssh/id_of_the_host"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Stage:
    """A host and everything to rehearse it with."""

    server: LabHost
    twins: Twins
    directory: Path

    async def plan(self, *, without: tuple[str, ...] = ()) -> Plan:
        rules = SelectionRules(
            trusted_origins=(ORIGIN_PATTERN,), exclude=without, allow_new_packages=True
        )
        policy = Policy(select=rules, propose_checks=False)
        host = msgspec.structs.replace(self.server.host, checks=self.checks)
        async with self.server.connect() as transport:
            inventory = await collect(transport, host, now=now, nonce=secrets.token_hex(16))
        selection = select(
            inventory,
            rules=rules,
            findings=(),
            held_back=(),
            published={},
            today=now().date(),
        )
        return make_plan(
            hosts=[host],
            inventories={host.name: inventory},
            selections={host.name: selection},
            findings={},
            policy=policy,
            now=now(),
        )

    @property
    def checks(self) -> tuple[HealthCheck, ...]:
        http = HealthCheckKind.HTTP
        return (
            HealthCheck(http, self.server.web),
            HealthCheck(http, f"http://{self.server.address}:8080/", body="Hello"),
            HealthCheck(HealthCheckKind.UNIT, "ssh.service"),
        )

    async def clone(self, plan: Plan) -> Clone:
        (one,) = plan.hosts
        async with self.server.connect() as transport:
            return await self.twins.clone(
                transport,  # type: ignore[arg-type]
                one.package_set,
                TwinPolicy().exclude,
            )

    async def rehearse(
        self,
        plan: Plan,
        load: LoadSettings | None = None,
        regression: Regression | None = None,
    ) -> Rehearsal:
        (one,) = plan.hosts
        session = PatchSession(plan=one, plan_id=plan.id, connect=self.server.connect, now=now)
        report = await acquire(session)
        await session.close()
        assert report.verdict is Verdict.PASS, report
        async with self.server.connect() as transport:
            await fetch_packages(transport, one.changes, self.directory / "packages")
        clone = await self.clone(plan)
        rehearser = Rehearser(
            self.twins, clone, self.directory / "packages", load=load, regression=regression
        )
        return await rehearser.rehearse(plan.id, one)


@pytest.fixture(scope="module")
def stage(server: LabHost, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    server.run(f"install -m 600 /dev/null {SECRET}; echo mine >/srv/data; echo x >/var/log/old")
    server.run(
        "printf '# Suture control earlier\nkernel.yama.ptrace_scope = 2\n' "
        ">/etc/sysctl.d/zz-suture-earlier.conf"
    )
    directory = tmp_path_factory.mktemp("twins")
    return Stage(server, Twins(directory), directory)


async def sh(transport: Transport, script: str) -> str:
    result = await transport.run(script, timeout_s=60)
    return result.stdout.decode() + result.stderr.decode()
