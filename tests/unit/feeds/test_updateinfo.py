"""Repositories' lists of updates: found through the index, checked, put together by release."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds.feed import FeedError, FeedFile
from suture.feeds.rpm import UNKNOWN_STREAM
from suture.feeds.updateinfo import INDEX, fetch_repositories, parser
from suture.reading import UnreadableError
from tests.unit.feeds.recorded import (
    RECORDED,
    Pretended,
    about,
    read_or_refused,
    recorded,
    spoiled,
    written,
)

APPSTREAM, BASEOS = "9/AppStream/x86_64/os/", "9/BaseOS/x86_64/os/"
ALMA = parser("almalinux", "almalinux:9")
ROCKY = parser("rocky", "rocky:9")


def parts(folder: str, *patterns: str) -> FeedFile:
    """The lists in a recorded folder as parts of an index."""
    found = [path for one in patterns for path in sorted((RECORDED / folder).glob(one))]
    assert found
    index = FeedFile(name="repomd.xml", path="")
    return replace(index, parts=tuple(FeedFile(name=one.name, path=str(one)) for one in found))


def alone(part: FeedFile) -> FeedFile:
    return FeedFile(name="repomd.xml", path="", parts=(part,))


def test_an_update_is_an_advisory() -> None:
    (advisory,) = ALMA(parts("almalinux/9/BaseOS/x86_64/os/repodata", "*updateinfo*"))
    assert advisory == Advisory(
        id="ALSA-2022:4940",
        publisher="almalinux",
        cves=("CVE-2022-1271",),
        affected=(Affected("almalinux:9", "xz", FixState.FIXED, fixed="5.2.5-8.el9_0"),),
        severity=Severity.HIGH,
        published=advisory.published,
        modified=advisory.modified,
        summary="Important: xz security update",
        url="https://errata.almalinux.org/9/ALSA-2022-4940.html",
    )
    assert (str(advisory.published), str(advisory.modified)) == ("2022-06-08", "2023-03-07")


def test_the_stream_of_a_package_is_in_the_list_of_modules() -> None:
    folder = "rocky/9/AppStream/x86_64/os/repodata"
    (advisory,) = ROCKY(parts(folder, "*modules*", "*updateinfo*"))
    (mariadb,) = about(advisory, "mariadb")
    assert mariadb.module == "mariadb:10.5"
    assert mariadb.fixed == "3:10.5.16-2.module+el9.1.0+13358+56c3b6a3"

    (without,) = ROCKY(parts(folder, "*updateinfo*"))
    (mariadb,) = about(without, "mariadb")
    assert (mariadb.module, mariadb.note) == ("", UNKNOWN_STREAM)


def update(packages: str, *, module: str = "") -> bytes:
    return (
        '<updates><update type="security"><id>RLSA-2024:1</id><references>'
        '<reference type="cve" id="CVE-2024-1000"/></references><pkglist><collection>'
        f"{module}{packages}</collection></pkglist></update></updates>"
    ).encode()


def package(name: str, arch: str, release: str = "2.el9") -> str:
    return f'<package name="{name}" epoch="0" version="1" release="{release}" arch="{arch}"/>'


def test_an_advisory_is_put_together_from_several_repositories(tmp_path: Path) -> None:
    lists = (
        update(package("bash", "x86_64") + package("bash", "src")),
        update(package("bash", "aarch64", "3.el9")),
        update(package("bash-doc", "noarch") + package("bash-debuginfo", "x86_64")),
    )
    files = [written(tmp_path / f"{at}-updateinfo", data) for at, data in enumerate(lists)]
    (advisory,) = ROCKY(FeedFile(name="repomd.xml", path="", parts=tuple(files)))
    assert [(one.package, one.fixed, one.archs) for one in advisory.affected] == [
        ("bash", "1-2.el9", ("x86_64",)),
        ("bash", "1-3.el9", ("aarch64",)),
        ("bash-doc", "1-2.el9", ()),
    ]


def test_a_collection_may_name_its_module_itself(tmp_path: Path) -> None:
    data = update(package("nodejs", "x86_64"), module='<module name="nodejs" stream="18"/>')
    (advisory,) = ROCKY(alone(written(tmp_path / "updateinfo", data)))
    assert advisory.affected[0].module == "nodejs:18"


def test_an_advisory_whose_id_is_none_is_refused() -> None:
    with pytest.raises(UnreadableError, match="NOT-A-VALID-ADVISORY-ID"):
        list(ALMA(alone(recorded("almalinux/badid-updateinfo.xml.gz"))))


def test_a_list_whose_check_sum_is_wrong_is_refused() -> None:
    with pytest.raises(UnreadableError, match="damaged"):
        list(ALMA(alone(recorded("almalinux/corrupt-updateinfo.xml.gz"))))


@pytest.mark.parametrize("text", [b"a: &a [1]\nb: *a\n", b"[" * 500, b"a: b: c", b"\xff\xfe\x00"])
def test_hostile_lists_of_modules_are_refused(tmp_path: Path, text: bytes) -> None:
    with pytest.raises(UnreadableError):
        list(ROCKY(alone(written(tmp_path / "modules.yaml", text))))


def repository(root: Path, *lists: tuple[str, bytes]) -> dict[str, Path]:
    """A repository below ``root`` with an index of ``lists`` (kind, content)."""
    (root / "repodata").mkdir(parents=True)
    entries, files = "", {}
    for kind, data in lists:
        href = f"repodata/{kind}.gz"
        (root / href).write_bytes(gzip.compress(data))
        sha256 = hashlib.sha256((root / href).read_bytes()).hexdigest()
        entries += (
            f'<data type="{kind}"><checksum type="sha256">{sha256}</checksum>'
            f'<location href="{href}"/></data>'
        )
        files[href] = root / href
    (root / INDEX).write_text(f'<repomd xmlns="http://linux.duke.edu/r">{entries}</repomd>')
    return files | {INDEX: root / INDEX}


def test_the_lists_of_all_repositories_are_fetched_and_checked(tmp_path: Path) -> None:
    files = {
        root + name: path
        for root, kinds in ((BASEOS, ["primary", "updateinfo"]), (APPSTREAM, ["primary"]))
        for name, path in repository(tmp_path / root, *((kind, b"<x/>") for kind in kinds)).items()
    }
    source = Pretended(files)
    (index,) = fetch_repositories(BASEOS, APPSTREAM)(source)
    assert index.name == BASEOS + INDEX
    assert [part.name for part in index.parts] == [BASEOS + "repodata/updateinfo.gz"]
    assert not any("primary" in name for name in source.asked)

    (tmp_path / BASEOS / "repodata/updateinfo.gz").write_bytes(b"something else")
    with pytest.raises(FeedError, match="not what the index names"):
        fetch_repositories(BASEOS)(Pretended(files))


def test_repositories_without_any_list_of_updates_are_no_feed(tmp_path: Path) -> None:
    files = {APPSTREAM + one: path for one, path in repository(tmp_path).items()}
    with pytest.raises(FeedError, match="no repository"):
        fetch_repositories(APPSTREAM)(Pretended(files))


def test_the_recorded_index_of_fedora_names_its_list() -> None:
    (index,) = (RECORDED / "fedora/43").glob("repomd.xml")
    (listed,) = (RECORDED / "fedora/43").glob("*updateinfo*")
    source = Pretended({INDEX: index})
    with pytest.raises(FeedError, match=re.escape(f"repodata/{listed.name}")):
        fetch_repositories("")(source)


@pytest.mark.parametrize(
    "entry",
    [
        '<location href="../../etc/passwd"/><checksum type="sha256">{sha}</checksum>',
        '<location href="https://elsewhere/x"/><checksum type="sha256">{sha}</checksum>',
        '<location href="repodata/x"/><checksum type="sha256">short</checksum>',
        '<location href="repodata/x"/><checksum type="md5">{sha}</checksum>',
        "<nothing/>",
    ],
)
def test_an_index_that_leads_astray_is_refused(tmp_path: Path, entry: str) -> None:
    path = tmp_path / "repomd.xml"
    path.write_text(f'<repomd><data type="updateinfo">{entry.format(sha="0" * 64)}</data></repomd>')
    with pytest.raises(UnreadableError, match="without a path or a SHA-256"):
        fetch_repositories("")(Pretended({INDEX: path}))


UPDATES = gzip.decompress(
    next((RECORDED / "almalinux/9/BaseOS/x86_64/os/repodata").glob("*updateinfo*")).read_bytes()
)
MODULES = gzip.decompress(next((RECORDED / "fedora/38").glob("*modules*")).read_bytes())


@given(spoiled(UPDATES), st.booleans())
def test_spoiled_lists_are_read_or_refused(data: bytes, packed: bool) -> None:
    data = gzip.compress(data) if packed else data
    read_or_refused(lambda file: ALMA(alone(file)), data, "updateinfo.xml")


@given(spoiled(MODULES))
def test_spoiled_lists_of_modules_are_read_or_refused(data: bytes) -> None:
    read_or_refused(lambda file: ALMA(alone(file)), data, "modules.yaml")
