"""What a host says about its way back, and the script's own rules."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from suture.core.rollout.ways_back import Refusal
from suture.hosts.results import parse_results
from suture.hosts.rollback import Refused, Restored, judge_preview
from suture.hosts.shell import program, quote

PREVIEW = """\
made\t1795420800
back\tnginx:amd64\t1.22.1-9+deb12u11\t1.22.1-9+deb12u9
back\tlibnew:amd64\t1.0\t-
config\trestore\t/etc/nginx/nginx.conf
config\tkept\t/etc/motd
config\tconflict\t/etc/nginx/mime.types
refusal\tchanged-configuration\t/etc/nginx/mime.types
refusal\tsomething\telse
end
"""

SIMULATED = """\
The following packages have unmet dependencies:
 libfoo1 : Breaks: newer (< 2.0) but 1.0 is to be installed
 module : Depends: nginx (>= 1.22.1-9+deb12u11) but 1.22.1-9+deb12u9 is to be installed
E: Unable to correct problems, you have held broken packages.
"""


def test_a_preview_says_what_goes_where_and_why_not() -> None:
    seen = judge_preview("web1", parse_results(PREVIEW))
    assert seen.made_at == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
    assert seen.packages == (
        Restored("nginx:amd64", "1.22.1-9+deb12u11", "1.22.1-9+deb12u9"),
        Restored("libnew:amd64", "1.0", None),
    )
    assert (seen.restored, seen.kept) == (("/etc/nginx/nginx.conf",), ("/etc/motd",))
    assert seen.conflicts == ("/etc/nginx/mime.types",)
    assert seen.refusals == (
        Refused(Refusal.CHANGED_CONFIGURATION, "/etc/nginx/mime.types"),
        Refused(Refusal.NO_BUNDLE, "else"),
    )


class Host:
    """A bundle and this machine's shell, with package tools of the test's making."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.bundle = directory / "tx" / "b" / "return"
        self.bundle.mkdir(parents=True)

    def run(self, script: str, plan: str = "", **values: str | int) -> str:
        given: dict[str, str | int] = {"ASKED": 1, "NARROW": 0, "ACCEPT": "", "DATA": 0}
        given |= {"RETURN_ID": "b", "LOCK_WAIT_S": 1}
        root = quote(str(self.directory))
        head = program("common", "state", "apt", "decisions", "reading", **(given | values))
        head += f"root={root}\nTX_DIR={root}\nPLAN={quote(plan)}\n" + program("way-back")
        done = subprocess.run(["sh", "-c", head + script], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_what_came_since_and_needs_the_new_version_is_named(tmp_path: Path) -> None:
    host = Host(tmp_path)
    (host.bundle / "installed").write_text("libfoo1:amd64 1 installed ok\n")
    (tmp_path / "packages").write_text(
        "libfoo1:amd64 1 installed ok\nmodule:amd64 1 installed ok\nnewer:all 1 installed ok\n"
        "nginx:amd64 2 installed ok\n"
    )
    (tmp_path / "said").write_text(SIMULATED)
    script = (
        'simulate_way_back() { cp "$TX_DIR/said" "$TX_DIR/simulation"; return 1; }\n'
        "files=x extra= && dependents_since\n"
    )
    assert host.run(script, "nginx amd64 1 2 s 1 upgrade").split() == ["module", "newer"]


def test_a_data_format_that_moved_on_is_told_with_both(tmp_path: Path) -> None:
    host = Host(tmp_path)
    (host.bundle / "data-formats").write_text("/a\t10.11.6\n/b\t15\n")
    script = "data_formats() { printf '/a\\t10.11.14\\n/b\\t15\\n/c\\t1\\n'; }\nmoved_data\n"
    assert host.run(script) == "/a was 10.11.6 and is 10.11.14\n"


def test_what_was_accepted_is_no_refusal(tmp_path: Path) -> None:
    host = Host(tmp_path)
    script = "refuse changed-data here; refuse dependents there\n"
    assert host.run(script, ACCEPT="changed-data x") == "dependents\tthere\n"


def test_of_one_package_only_its_own_files_go_back(tmp_path: Path) -> None:
    host = Host(tmp_path)
    fake = tmp_path / "dpkg-query"
    fake.write_text('#!/bin/sh\n[ "$1" = -L ] && echo /etc/nginx/nginx.conf || echo /srv/x 1\n')
    fake.chmod(0o755)
    script = (
        f"PATH={tmp_path}:$PATH\n"
        "printf 'restore\\t/etc/nginx/nginx.conf\\nremove\\t/etc/other\\n' | only_own_files\n"
    )
    plan = "nginx amd64 1 2 s 1 upgrade"
    assert host.run(script, plan, NARROW=1) == "restore\t/etc/nginx/nginx.conf\n"
    assert "/etc/other" in host.run(script, plan)
