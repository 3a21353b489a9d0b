"""From a host to its clone and the packages to try on it, for rehearsals and drills."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from suture.core.documents import Document
from suture.core.evidence import Step, StepReport, Verdict
from suture.core.inventory import Host
from suture.core.planning.plan import HostPlan, Plan
from suture.core.policy import Policy
from suture.hosts.transport.connector import Connector
from suture.services import backups
from suture.services.errors import RefusedError
from suture.services.host_work import STEPS, FleetRunner, patch_settings
from suture.services.workspace import Workspace
from suture.store import hosts, workers
from suture.store.database import Store
from suture.twin.clone import Clone
from suture.twin.machine import Twins
from suture.twin.package_files import PackageFilesError, discard_unused, fetch_packages
from suture.twin.regression import changed_earlier

TWINS_AT_ONCE = 2

OnStage = Callable[[str, str], None]
OnReport = Callable[[str, StepReport], None]


class Staged(Document, frozen=True):
    """``packages`` is the directory of the patch set's files, ``paths`` the configuration that
    earlier patches changed on the host."""

    clone: Clone
    packages: Path
    paths: tuple[str, ...]


@dataclass(frozen=True)
class Staging:
    """The twins of an installation, and its way to the hosts that they are taken from."""

    store: Store
    policy: Policy
    twins: Twins
    packages: Path
    enrolled: Mapping[str, Host]
    on_stage: OnStage
    on_report: OnReport

    @classmethod
    def of(
        cls,
        workspace: Workspace,
        store: Store,
        policy: Policy,
        *,
        on_stage: OnStage,
        on_report: OnReport,
    ) -> Staging:
        packages = workspace.twins / "packages"
        twins = Twins(workspace.twins)
        discard_unused(packages)
        with store.read() as connection:
            enrolled = {host.name: host for host in hosts.listing(connection)}
        return cls(store, policy, twins, packages, enrolled, on_stage, on_report)

    async def prepare(
        self, plan: Plan, host: HostPlan, ways: Connector, *, acquire: bool = True
    ) -> Staged:
        """Without ``acquire`` the host must have the packages already.

        Raises HostError, CloneError and PackageFilesError.
        """
        enrolled = self.host(host.host)
        packages = self.packages / host.patch_set[:16]
        if acquire:
            await self._acquire(plan, host, ways)
        self.on_stage(host.host, "cloning it without data and secrets")
        async with ways.connect(enrolled) as transport:
            await fetch_packages(transport, host.changes, packages)
            paths = await changed_earlier(transport)
            exclude = tuple(self.policy.twin.exclude)
            clone = await self.twins.clone(transport, host.package_set, exclude)
        return Staged(clone, packages, paths)

    def host(self, name: str) -> Host:
        if name not in self.enrolled:
            raise RefusedError(f"{name} is not enrolled any more", "Make a new plan.")
        return self.enrolled[name]

    def chosen(self, names: Sequence[str]) -> list[Host]:
        """Those of ``names`` that are enrolled."""
        return [self.enrolled[name] for name in names if name in self.enrolled]

    async def _acquire(self, plan: Plan, host: HostPlan, ways: Connector) -> None:
        """The host downloads its patch set now, ahead of the rollout; nothing is installed.

        Each try is a transaction of its own: the host would only report what became of the last.
        """
        self.on_stage(host.host, "downloading the patch set on the host")
        settings = patch_settings(self.policy)
        protected = backups.Protected(self.store).on
        runner = FleetRunner(ways, self.enrolled, lambda _: plan, settings, protected)
        session = runner.session(secrets.token_hex(6), host.host)
        with self.store.begin() as connection:
            session.fence = max(session.fence, workers.current_fence(connection, host.host))
        try:
            report = await STEPS[Step.ACQUIRE](session)
        finally:
            await session.close()
        self.on_report(host.host, report)
        if report.verdict is not Verdict.PASS:
            raise PackageFilesError(f"{host.host}: {report.reason}")
