"""Suites as they lie on the controller, and what is said where they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from suture.core.policies.suites import SuiteKind, SuitePolicy
from suture.core.policy import Policy, PolicyError
from suture.services import policies
from suture.services.suites import SuiteError, Suites, read
from suture.services.workspace import Workspace
from tests.unit.core import builders


def _policy(path: Path, kind: SuiteKind = SuiteKind.TESTINFRA, on: str = "web*") -> SuitePolicy:
    return SuitePolicy(name="web", on=on, kind=kind, path=str(path))


def test_a_directory_is_read_whole_but_for_what_programs_leave_there(tmp_path: Path) -> None:
    for name in ("conftest.py", "more/test_b.py", "__pycache__/x.pyc", ".git/config"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    suite = read(_policy(tmp_path))
    assert [file.path for file in suite.files] == ["conftest.py", "more/test_b.py"]
    assert (suite.entry, suite.python) == ("", "python3")


def test_a_single_file_is_what_is_run(tmp_path: Path) -> None:
    file = tmp_path / "web.yaml"
    file.write_text("port: {}")
    suite = read(_policy(file, SuiteKind.GOSS))
    assert (suite.entry, [one.path for one in suite.files]) == ("web.yaml", ["web.yaml"])


@pytest.mark.parametrize(
    ("kind", "files", "message"),
    [
        (SuiteKind.TESTINFRA, [], "has no files"),
        (SuiteKind.GOSS, ["web.yaml"], "has no goss.yaml"),
        (SuiteKind.COMMAND, ["other"], "has no run"),
        (SuiteKind.COMMAND, ["run"], "run is not executable; chmod"),
    ],
)
def test_a_directory_needs_something_to_run(
    tmp_path: Path, kind: SuiteKind, files: list[str], message: str
) -> None:
    for name in files:
        (tmp_path / name).touch(mode=0o644)
    with pytest.raises(SuiteError, match=message):
        read(_policy(tmp_path, kind))


def test_hosts_have_the_suites_that_match_them_and_their_digest(tmp_path: Path) -> None:
    file = tmp_path / "test_web.py"
    file.write_text("one")
    policy = Policy(suites=(_policy(file),))
    suites = Suites.of_policy(policy)
    web, db = builders.host("web1"), builders.host("db1")
    assert [suite.name for suite in suites.on(web)] == ["web"]
    assert (suites.on(db), suites.digest_on(db)) == ((), "")
    file.write_text("two")
    changed = Suites.of_policy(policy).digest_on(web)
    file.unlink()
    gone = Suites.of_policy(policy).digest_on(web)
    assert len({suites.digest_on(web), changed, gone}) == 3


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("path: {place}/none", r"policy.yaml:5: suites\[0\]\.path: there is no .*/none"),
        (
            "path: {place}/test_a.py\n    python: {place}/none",
            r"policy.yaml:6: suites\[0\]\.python: there is no program .*/none",
        ),
    ],
)
def test_a_missing_path_is_named_with_file_line_and_key(
    tmp_path: Path, line: str, message: str
) -> None:
    (tmp_path / "test_a.py").touch()
    place = Workspace(tmp_path, "sqlite://")
    text = "suites:\n  - name: web\n    on: web\n    kind: testinfra\n    " + line + "\n"
    place.policy.write_text(text.format(place=tmp_path))
    assert policies.load(place)[0].suites[0].name == "web"
    with pytest.raises(PolicyError, match=message):
        policies.check(place)
