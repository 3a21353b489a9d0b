"""Results of OpenSCAP count for the host that gave them, whatever they say."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import pytest

from suture.core.inventory import Host
from suture.hosts.openscap import Evaluation
from suture.hosts.transport import FailureKind, HostError, HostFailure
from suture.services import configuration, fleet, openscap, scanner_reports
from suture.services.errors import ServiceError
from suture.services.openscap import ScapRun
from suture.services.workspace import Workspace
from tests.unit.core.builders import host

ARF = Path(__file__).parents[2] / "recorded" / "scanners" / "openscap" / "arf.xml"
RESULTS = ARF.read_bytes()


class Ways:
    """Every host answers what is in ``answers``; the others have no OpenSCAP."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers = answers

    async def __aenter__(self) -> Ways:
        return self

    async def __aexit__(self, *exception: object) -> None:
        return

    @asynccontextmanager
    async def connect(self, host: Host) -> AsyncIterator[Host]:
        yield host

    async def find(self, host: Host, *, wanted: str, nonce: str) -> str:
        if host.name not in self.answers:
            raise HostError(HostFailure(host.name, FailureKind.UNSUPPORTED, "not there", ""))
        return wanted or "/guide"

    async def evaluate(self, host: Host, wanted: Evaluation, into: IO[bytes]) -> None:
        into.write(gzip.compress(self.answers[host.name]))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    made = Workspace(tmp_path / "home", f"sqlite:///{tmp_path}/home/s.sqlite")
    fleet.add(made, [host("web1", address="192.0.2.1"), host("other", address="192.0.2.2")])
    return made


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    ways = Ways({})
    monkeypatch.setattr(openscap, "connector", lambda *_, **__: ways)
    monkeypatch.setattr("suture.hosts.openscap.find_content", ways.find)
    monkeypatch.setattr("suture.hosts.openscap.evaluate", ways.evaluate)
    return ways.answers


async def run(workspace: Workspace, **changed: Any) -> ScapRun:
    asked: dict[str, Any] = {
        "names": (), "labels": (), "profile": "standard", "content": "", "limit_s": 60,
        "accept_new": False, "ask": None, "progress": lambda host, what: None,
    }  # fmt: skip
    return await openscap.run(workspace, **asked | changed)


async def test_results_are_kept_for_the_host_that_gave_them_and_no_other(
    workspace: Workspace, answers: dict[str, bytes]
) -> None:
    assert b"<target>other</target>" in RESULTS
    answers["web1"] = RESULTS
    done = await run(workspace)
    other, web1 = sorted(done.hosts, key=lambda one: one.host)
    assert (web1.passed, web1.failed, web1.undecided, web1.other) == (1, 1, 0, 1)
    assert other.failure is not None and other.failure.message == "not there"
    assert done.exit_code == 3
    assert done.report is not None
    (placed,) = scanner_reports.result(workspace, done.report).hosts
    assert (placed.host, placed.how) == ("web1", "run there by Suture")
    found = configuration.findings(workspace)
    (banner,) = [one for one in found if one.check.startswith("openscap ")]
    assert (banner.host, banner.title) == ("web1", "A banner is shown before login")


async def test_the_newest_run_counts(workspace: Workspace, answers: dict[str, bytes]) -> None:
    answers["web1"] = RESULTS.replace(b"2026-11-24T", b"2036-11-24T")  # a clock that is wrong
    assert (await run(workspace, names=("web1",))).exit_code == 1
    answers["web1"] = RESULTS.replace(b"<result>fail</result>", b"<result>pass</result>")
    assert (await run(workspace, names=("web1",))).exit_code == 0
    checks = [one.check for one in configuration.findings(workspace, names=("web1",))]
    assert checks == ["never-scanned"]


@pytest.mark.parametrize(
    ("results", "message"),
    [
        (RESULTS[:9000], "not well-formed"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "not safe"),
        (b"<a/>", "no check of the profile applies"),
        (RESULTS.replace(b">pass<", b">notapplicable<").replace(b">fail<", b">notselected<"),
         "no check of the profile applies"),
        (RESULTS.replace(b"<rule-result ", b"<rule-result/>" * 30 + b"<rule-result "),
         "more than 20 checks"),
    ],
)  # fmt: skip
async def test_a_host_whose_results_cannot_be_used_costs_no_other(
    workspace: Workspace,
    answers: dict[str, bytes],
    results: bytes,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openscap, "MAX_CHECKS", 20)
    answers |= {"web1": results, "other": RESULTS}
    done = await run(workspace, names=("web1", "other"))
    web1, other = done.hosts
    assert web1.failure is not None and message in web1.failure.message
    assert (other.passed, other.failed) == (1, 1)
    assert done.report is not None
    report = scanner_reports.result(workspace, done.report)
    assert [one.host for one in report.hosts] == ["other"]


async def test_where_nothing_came_nothing_is_kept(
    workspace: Workspace, answers: dict[str, bytes]
) -> None:
    answers["web1"] = b"no xml"
    done = await run(workspace)
    assert (done.report, done.exit_code) == (None, 3)
    assert scanner_reports.listing(workspace) == ()


@pytest.mark.parametrize("wrong", [{"profile": "-x"}, {"content": "/srv/$(id)"}])
async def test_words_that_are_none_are_refused(workspace: Workspace, wrong: dict[str, str]) -> None:
    with pytest.raises(ServiceError):
        await run(workspace, **wrong)
