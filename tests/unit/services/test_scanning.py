"""A host about which nothing is known was not assessed, whatever was collected."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from suture.core.documents import encode
from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.inventory import OperatingSystem
from suture.services import fleet, scanning
from suture.services.collecting import Changelogs, Collected
from suture.services.errors import ServiceError
from suture.services.scanning import Scan
from suture.services.workspace import Workspace
from suture.store import observations, records
from tests.unit.core.builders import NOW, host, inventory, package

SEEN = replace(
    inventory("web", [package("nginx", "1.24.0-7")]),
    os=OperatingSystem("fedora", "40"),
    package_manager="rpm",
)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    async def collect(*_: object, **__: object) -> tuple[Collected, ...]:
        return (Collected(host("web"), SEEN),)

    async def fetch(*_: object) -> Changelogs:
        return Changelogs((), {})

    monkeypatch.setattr(scanning, "collect", collect)
    monkeypatch.setattr(scanning, "fetch_changelogs", fetch)
    return Workspace(tmp_path / "home", f"sqlite:///{tmp_path}/home/s.sqlite")


def advise(workspace: Workspace) -> None:
    affected = (Affected("fedora:40", "nginx", FixState.FIXED, "1.26.1-1"),)
    advisory = Advisory("FEDORA-1", "fedora", ("CVE-2099-0001",), affected)
    with fleet.opened(workspace) as store, store.begin() as connection:
        records.apply(connection, "fedora-40", "f", records.rows(advisory), NOW)


async def scan(workspace: Workspace, *targets: str, key: str | None = None) -> Scan:
    return await scanning.scan(
        workspace,
        targets=targets,
        labels=(),
        key=key,
        jump=None,
        policy_file=None,
        refresh=False,
        accept_new=False,
        ask=None,
        progress=lambda host, what: None,
    )


async def test_an_rpm_host_of_which_no_feed_speaks_is_not_assessed(workspace: Workspace) -> None:
    done = await scan(workspace, "web")
    (failure,) = done.report.failed
    assert (done.report.hosts, scanning.exit_code(done.report, "none")) == ((), 3)
    assert "says anything about fedora:40" in failure.message


async def test_an_rpm_host_is_assessed_by_feeds(workspace: Workspace) -> None:
    advise(workspace)
    (seen,) = (await scan(workspace, "web")).report.hosts
    (finding,) = seen.findings
    assert (finding.package, finding.state) == ("nginx", "fixed-elsewhere")


async def test_the_enrolled_fleet_is_scanned_and_what_was_seen_is_kept(
    workspace: Workspace,
) -> None:
    fleet.add(workspace, [host("web")])
    done = await scan(workspace)
    (failure,) = done.report.failed
    assert failure.host == "web"
    with fleet.opened(workspace) as store, store.query() as query:
        assert observations.latest(query) == {"web": SEEN}


@pytest.mark.parametrize(("key", "kept"), [(None, {"web": SEEN}), ("id", {})])
async def test_the_name_of_an_enrolled_host_means_it_unless_another_way_is_given(
    workspace: Workspace, key: str | None, kept: dict[str, object]
) -> None:
    fleet.add(workspace, [host("web")])
    await scan(workspace, "web", key=key)
    with fleet.opened(workspace) as store, store.query() as query:
        assert observations.latest(query) == kept


async def test_enrolled_hosts_and_others_are_scanned_apart(workspace: Workspace) -> None:
    fleet.add(workspace, [host("web")])
    with pytest.raises(ServiceError, match="web is enrolled and 'root@web' is not"):
        await scan(workspace, "web", "root@web")


async def test_a_key_for_the_enrolled_fleet_is_refused_and_not_ignored(
    workspace: Workspace,
) -> None:
    fleet.add(workspace, [host("web")])
    with pytest.raises(ServiceError, match="--key is for hosts that are given here"):
        await scan(workspace, key="id")


ONE_SHOT = """
import asyncio, sys
from pathlib import Path
from suture.core.documents import decode
from suture.core.inventory import Host, Inventory
from suture.services import scanning
from suture.services.collecting import Changelogs, Collected
from suture.services.workspace import Workspace

async def collect(*_, **__):
    return (Collected(Host("web", "web"), decode(sys.stdin.buffer.read(), Inventory)),)

async def fetch(*_):
    return Changelogs((), {})

scanning.collect, scanning.fetch_changelogs = collect, fetch
home, database = sys.argv[1:]
done = asyncio.run(scanning.scan(
    Workspace(Path(home), database), targets=["web"], labels=(), key=None, jump=None,
    policy_file=None, refresh=False, accept_new=False, ask=None, progress=lambda host, what: None,
))
print(len(done.report.hosts[0].findings), {"asyncssh", "sqlalchemy", "numpy"} & set(sys.modules))
"""


def test_one_shot_takes_no_import_that_it_can_do_without(workspace: Workspace) -> None:
    advise(workspace)
    done = subprocess.run(
        [sys.executable, "-c", ONE_SHOT, str(workspace.home), workspace.database],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        input=encode(SEEN),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().strip() == "1 set()"
