"""When the collection asks apt for a full upgrade, which costs a host more than all the rest."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from suture.core.inventory import Origin
from suture.hosts.managers.apt import SCRIPTS, read_archives
from suture.hosts.sections import Reading
from suture.hosts.shell import program

_POLICY = """app:
  Installed: 1.0
  Candidate: 2.0
  Version table:
     2.0 500{phased}
        500 http://archive.example stable/main amd64 Packages
 *** 1.0 100
        100 /var/lib/dpkg/status
"""


_PLACES = """APT::Architectures:: "amd64";
Dir "/";
Dir::State "var/lib/apt";
Dir::State::lists "lists/";
Dir::State::status "/var/lib/dpkg/status";
Dir::State::extended_states "extended_states";
Dir::Etc "etc/apt";
Dir::Etc::sourcelist "sources.list";
Dir::Etc::sourceparts "sources.list.d";
Dir::Etc::preferences "preferences";
Dir::Etc::preferencesparts "preferences.d";
"""


def _sections(
    tmp_path: Path,
    *,
    depends: str = "app",
    phased: str = "",
    name: str = "app",
    settings: str = _PLACES,
    files: str = "/etc/apt/preferences.d 1",
) -> str:
    """What the script prints of a host where ``app`` 2.0 is on offer."""
    policy = _POLICY.format(phased=phased).replace("app:", f"{name}:", 1)
    (tmp_path / "policy").write_text(policy)
    (tmp_path / "offer").write_text(f"Package: app\nVersion: 2.0\nDepends: {depends}\n\n")
    _tool(tmp_path, "dpkg", "echo amd64")
    _tool(
        tmp_path,
        "dpkg-query",
        r"""printf '%s\t%s\t1.0\tapp\t1.0\tinstall\t%s\tok\t%s\n' app amd64 installed '' \
            perl-base all installed 'perlapi-5 (= 5)' gone amd64 config-files '' \
            foreign i386 installed ''""",
    )
    _tool(tmp_path, "apt-config", f"cat <<'END'\n{settings}END")
    _tool(tmp_path, "find", f"[ $1 != -L ] || echo '{files}'")
    _tool(
        tmp_path,
        "apt-cache",
        f"while [ $1 = -o ]; do shift 2; done; case $1-$# in policy-1) echo Pinned ;; "
        f"policy-*) cat {tmp_path}/policy ;; *) cat {tmp_path}/offer ;; esac",
    )
    _tool(
        tmp_path,
        "apt-get",
        "case $* in *indextargets*) echo Listed; exit ;; esac; "
        "printf 'The following NEW packages will be installed:\\n   lib (1)\\n"
        "1 upgraded, 1 newly installed\\n'",
    )
    script = "section() { printf '# %s\\n' \"$1\"; }; note() { :; }\n"
    script += program(*SCRIPTS, newline="\n")
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(["sh"], input=script, env={"PATH": path}, capture_output=True, text=True)
    return done.stdout


def _tool(directory: Path, name: str, body: str) -> None:
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    "depends", ["app (= 2.0)", "perl-base:any, perlapi-5", "absent | perl-base (>= 5)"]
)
def test_apt_is_not_asked_where_everything_needed_is_there(tmp_path: Path, depends: str) -> None:
    assert "# upgrade\ndone\n# policy-new\n# available\n" in _sections(tmp_path, depends=depends)


@pytest.mark.parametrize("depends", ["lib (>= 1)", "gone", "foreign", "app, lib | other"])
def test_apt_is_asked_where_a_name_is_missing(tmp_path: Path, depends: str) -> None:
    assert "# upgrade\nnew\tlib\t1\ndone" in _sections(tmp_path, depends=depends)


def test_apt_is_asked_where_a_version_is_phased_or_foreign(tmp_path: Path) -> None:
    assert "\nnew\tlib" in _sections(tmp_path, depends="app", phased=" (phased 10%)")
    assert "\nnew\tlib" in _sections(tmp_path, depends="app", name="app:i386")


_ARCHIVES = """ 500 http://archive.example/debian stable/main amd64 Packages
     release o=Example, Inc.,a=stable,n=trixie,l=$(LABEL),c=main
 500 file:/srv/debs ./ Packages
     release o=$(ORIGIN),a=$(SUITE),n=$(CODENAME),l=$(LABEL),c=$(COMPONENT)
"""


def test_archives_without_a_value_are_read_as_without_one() -> None:
    reading = Reading({"archives": tuple(_ARCHIVES.splitlines())}, [])
    named, pinned = read_archives(reading)
    assert pinned == ()
    assert tuple(named.values()) == (
        Origin("Example", "", "stable", "trixie", "main", "archive.example"),
        Origin("", "", "", "", "", "local"),
    )


def test_apt_goes_through_all_packages_only_where_one_can_be_pinned(tmp_path: Path) -> None:
    assert "# archives\nListed\n#" in _sections(tmp_path)
    for files in ("/etc/apt/preferences 7", "/etc/apt/preferences.d/keep 8"):
        assert "# archives\nPinned\n#" in _sections(tmp_path, files=files)
    for settings in (_PLACES.replace("etc/apt", "etc/other"), f'{_PLACES}RootDir "/other";\n'):
        assert "# archives\nPinned\n#" in _sections(tmp_path, settings=settings)
