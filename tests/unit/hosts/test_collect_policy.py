"""What the collection makes of apt's words and files, and when it leaves the answer to apt."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from suture.hosts.shell import source

_SITE = "archive.example_debian_dists_stable"
_RELEASE = """-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

Origin: Example, Inc.
Label:  Example
Suite: oldstable
codename: bookworm
SHA256:
 0 0 main/binary-amd64/Packages
"""
_LIST = """Package: lib
Version: 1
Filename: pool/lib_1.deb

Package: app
Architecture: amd64
Version: 2
Depends: lib
Description: An app
 Package: no field
Filename: pool/app_2.deb

Package: app
Version: 1
Filename: pool/app_1.deb
"""
_POLICY = """app:
  Installed: 1
  Candidate: 2
  Version table:
     2 500
        500 http://archive.example/debian stable/main amd64 Packages
 *** 1 500
        500 http://archive.example/debian stable/main amd64 Packages
        100 /var/lib/dpkg/status
first:
  Installed: (none)
  Candidate: 3
  Version table:
     3 500
        500 http://archive.example/debian stable/main amd64 Packages
"""
_PACKAGES = "app\tamd64\t1\tapp\t1\tinstall\tinstalled\tok\t\n"
_ROWS = ["P\tapp\t2\t 1 2\t 1", "N\tapp\t2\t\t 1"]
_SOURCES = [
    "S\t1\thttp://archive.example/debian stable/main amd64 Packages",
    "S\t2\t/var/lib/dpkg/status",
]


@pytest.fixture
def lists(tmp_path: Path) -> str:
    """The files of an archive, each after its size, as the script passes them."""
    files = {f"{_SITE}_InRelease": _RELEASE, f"{_SITE}_main_binary-amd64_Packages": _LIST}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return " ".join(f"{len(text)} {tmp_path / name}" for name, text in files.items())


def _awk(program: str, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = f'{source("collect-policy")}\nexec awk "$@" "${program}"'
    if program == "describe":
        script += " FS='\\t' - RS= FS='\\n' $files"
    before = [f"-v{one}" for one in ("native=amd64", *arguments) if not one.startswith("files=")]
    files = next((one[6:] for one in arguments if one.startswith("files=")), "")
    return subprocess.run(
        ["sh", "-c", script, "sh", *before],
        input=text,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "files": files},
        capture_output=True,
        text=True,
        check=False,
    )


def _reduced(policy: str, lists: str) -> list[str]:
    done = _awk("reduce_policy", policy, f"lists={lists}", "probes= first:amd64")
    return done.stdout.splitlines()


def test_archives_come_from_the_version_tables_and_the_release_files(lists: str) -> None:
    offers, archives, files, *rows = _reduced(_POLICY, lists)
    assert offers == "offers  app=2"
    assert archives.split("\t") == [
        "archives",
        " 500 http://archive.example/debian stable/main amd64 Packages",
        "     release o=Example, Inc.,a=oldstable,n=bookworm,l=Example,c=main",
    ]
    assert files == f"lists archive=1 {lists.split()[-1]}"
    assert rows == [*_ROWS, *_SOURCES]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://archive.example/debian stable/main amd64", "http://archive.example/debian ./"),
        ("debian stable/main amd64", "debian stable/updates/main amd64"),
        ("debian stable/main amd64", "debian stable/main all"),
        ("archive.example", "user@archive.example"),
    ],
)
def test_archives_whose_files_are_called_otherwise_are_left_to_apt(
    lists: str, before: str, after: str
) -> None:
    assert _reduced(_POLICY.replace(before, after), lists)[1:3] == ["archives", "lists"]


def test_a_list_that_no_version_table_names_leaves_all_archives_to_apt(lists: str) -> None:
    more = f"{lists} 9 /lists/other.example_dists_stable_main_binary-amd64_Packages"
    _, archives, files, *_ = _reduced(_POLICY, more)
    assert archives == "archives"
    assert files != "lists"


def test_versions_in_long_lists_phased_or_foreign_are_left_to_apt(lists: str) -> None:
    size = str(len(_LIST))
    assert _reduced(_POLICY, lists.replace(size, "6000000"))[2] == "lists"
    offers, _, files, *_ = _reduced(_POLICY.replace("app:", "app:i386:"), lists)
    assert (offers, files) == ("offers yes app:i386=2", "lists")
    assert _reduced(_POLICY.replace("2 500", "2 500 (phased 10%)"), lists)[0] == "offers yes app=2"


def _described(
    lists: str, rows: list[str], packages: str = _PACKAGES
) -> subprocess.CompletedProcess[str]:
    text = packages + "\n".join(rows) + "\n"
    return _awk("describe", text, f"files=archive=1 {lists.split()[-1]}")


def test_a_version_is_described_from_its_list(lists: str) -> None:
    done = _described(lists, _ROWS)
    assert done.stdout == (
        "Package: app\nArchitecture: amd64\nVersion: 2\nDepends: lib\nFilename: pool/app_2.deb\n\n"
    )


def test_it_is_told_whether_a_dependency_is_missing(lists: str) -> None:
    assert _described(lists, _ROWS).returncode == 0
    assert _described(lists, _ROWS, _PACKAGES.replace("app", "lib")).returncode == 1


def test_versions_that_are_not_each_found_once_are_left_to_apt(lists: str) -> None:
    assert _described(lists, [*_ROWS, "N\tapp\t3\t\t 1"]).returncode == 2
    assert _described(lists, [*_ROWS, "N\tapp\t1\t\t 2"]).returncode == 2
    path = Path(lists.split()[-1])
    path.write_text(_LIST + "\n" + _LIST)
    assert _described(lists, _ROWS).returncode == 2
