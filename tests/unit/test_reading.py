"""Foreign files: what is good is read, what is damaged or hostile is refused whole."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from suture import reading
from suture.reading import UnreadableError, elements, json_of, members, opened, text_of

LAUGHS = b"""<?xml version="1.0"?>
<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;">]>
<all><one>&lol2;</one></all>"""
UNKNOWN = b"""<?xml version="1.0" encoding="klingon"?><all/>"""
EXTERNAL = b"""<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><all><one>&x;</one></all>"""


@pytest.mark.parametrize(
    "packed", [bytes, gzip.compress, bz2.compress, lzma.compress, zstd.compress]
)
def test_compression_is_told_from_the_content(
    tmp_path: Path, packed: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "feed"
    file.write_bytes(packed("schön".encode()))
    assert text_of(file) == "schön"


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress, zstd.compress])
def test_a_truncated_file_is_refused(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    file = tmp_path / "feed"
    file.write_bytes(packed(bytes(range(256)) * 50)[:-20])
    with pytest.raises(UnreadableError, match="feed is damaged"):
        text_of(file)


def test_a_bomb_is_refused_without_being_unpacked(tmp_path: Path) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(gzip.compress(b"\0" * 10_000_000))
    with (
        pytest.raises(UnreadableError, match="larger unpacked"),
        opened(file, limit=1_000_000) as stream,
    ):
        stream.read()


def test_text_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "feed"
    file.write_bytes(b"caf\xe9")
    with pytest.raises(UnreadableError, match="damaged"):
        text_of(file)


def zip_of(path: Path, content: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def tar_of(path: Path, content: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:xz") as archive:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_archives_are_read_in_place(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], None]
) -> None:
    file = tmp_path / "all"
    content = {"a.json": b"1", "../../etc/b.json": b"2", "notes.txt": b"3"}
    make(file, content)
    assert dict(members(file, suffix=".json")) == {"a.json": b"1", "../../etc/b.json": b"2"}
    assert [path.name for path in tmp_path.iterdir()] == ["all"]


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_a_member_that_is_too_large_is_refused(
    tmp_path: Path,
    make: Callable[[Path, dict[str, bytes]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "MAX_MEMBER", 100)
    file = tmp_path / "all"
    make(file, {"a.json": b" " * 101})
    with pytest.raises(UnreadableError, match="larger than is allowed"):
        list(members(file))


@pytest.mark.parametrize("make", [zip_of, tar_of])
def test_an_archive_that_is_too_large_in_all_is_refused(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], None]
) -> None:
    file = tmp_path / "all"
    make(file, {"a.json": b" " * 6000, "b.json": b" " * 6000})
    assert len(list(members(file, limit=50_000))) == 2
    with pytest.raises(UnreadableError, match="larger"):
        list(members(file, limit=10_000))


@pytest.mark.parametrize(
    ("at", "value"), [(6, 1), (8, 99)], ids=["encrypted", "packed in an unknown way"]
)
def test_a_zip_that_cannot_be_unpacked_is_refused(tmp_path: Path, at: int, value: int) -> None:
    file = tmp_path / "all.zip"
    zip_of(file, {"a.json": b"1"})
    data = bytearray(file.read_bytes())
    directory = data.index(b"PK\x01\x02")
    data[at] = data[directory + at + 2] = value
    file.write_bytes(data)
    with pytest.raises(UnreadableError, match=r"all\.zip is damaged"):
        list(members(file))


def test_links_in_archives_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "all.tar"
    with tarfile.open(file, "w") as archive:
        link = tarfile.TarInfo("secret.json")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/shadow"
        archive.addfile(link)
    assert list(members(file)) == []


@pytest.mark.parametrize("hostile", [b"[" * 200_000, b"{", b"\xff", b"nul", b'"a"'])
def test_json_that_is_none_is_refused(hostile: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"x\.json is not what it should be"):
        json_of(hostile, list[int], name="x.json")


def test_elements_come_one_by_one_without_namespaces() -> None:
    text = b'<r xmlns="urn:x"><other/><one id="1"><name>a</name></one><one id="2"/></r>'
    found = [
        (one.get("id"), one.findtext("name"))
        for one in elements(io.BytesIO(text), "one", name="x.xml")
    ]
    assert found == [("1", "a"), ("2", None)]


@pytest.mark.parametrize(
    "hostile", [LAUGHS, EXTERNAL, b"<a><b></a>", b"<a>" * 100, b"", b"<a>\xff</a>", UNKNOWN]
)
def test_hostile_xml_is_refused(hostile: bytes) -> None:
    with pytest.raises(UnreadableError, match=r"x\.xml"):
        list(elements(io.BytesIO(hostile), "one", name="x.xml"))


def test_an_element_can_be_had_as_soon_as_it_opens() -> None:
    text = (
        b'<x:r xmlns:x="urn:x"><x:host name="a"><one/>' + b" " * 100_000 + b"<one/></x:host></x:r>"
    )
    found = elements(io.BytesIO(text), "one", name="x.xml", opening=("host",))
    assert [(one.tag, one.get("name")) for one in found] == [
        ("host", "a"),
        ("one", None),
        ("one", None),
    ]


def test_the_name_of_a_document_type_is_accepted_where_it_is_allowed() -> None:
    text = b'<!DOCTYPE r SYSTEM "https://example.org/r.dtd"><r><one/></r>'
    assert len(list(elements(io.BytesIO(text), "one", name="x.xml", doctype=True))) == 1
    with pytest.raises(UnreadableError, match="not safe"):
        list(elements(io.BytesIO(text), "one", name="x.xml"))


@pytest.mark.parametrize("hostile", [LAUGHS, EXTERNAL])
def test_no_entity_is_accepted_in_any_case(hostile: bytes) -> None:
    with pytest.raises(UnreadableError, match="not safe"):
        list(elements(io.BytesIO(hostile), "one", name="x.xml", doctype=True))


@pytest.mark.parametrize(
    "hostile",
    [
        b"<r>" + b" " * 100_000 + b"</r>",
        b'<r a="' + b"x" * 100_000 + b'"/>',
        b"<r><one>" + b"<b/>" * 30_000 + b"</one></r>",
        b"<one>" + b"<b/><one/>" * 30_000 + b"</one>",
        b"<r><!-- " + b"x" * 100_000 + b"--></r>",
    ],
)
def test_an_element_that_is_too_large_is_refused(
    hostile: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_ELEMENT", 80_000)
    with pytest.raises(UnreadableError, match="element that is larger"):
        list(elements(io.BytesIO(hostile), "one", name="x.xml"))


def test_many_small_elements_may_be_more_than_one_large_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reading, "MAX_ELEMENT", 80_000)
    text = b"<r>" + b"<one/><two><b/></two>" * 20_000 + b"</r>"
    assert sum(1 for _ in elements(io.BytesIO(text), "one", name="x.xml")) == 20_000
