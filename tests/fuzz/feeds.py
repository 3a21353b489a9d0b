"""Feeds' parsers against bytes that nobody wrote: records or :class:`UnreadableError`, ever.

``python tests/fuzz/feeds.py PARSER [libFuzzer's options]`` looks for inputs that are neither, with
atheris, beginning from the recorded files. What it finds belongs in
``tests/recorded/feeds/hostile/PARSER/``, where the unit tests read it again.
"""

from __future__ import annotations

import io
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from suture.core.advisories import Advisory
from suture.core.documents import decode, encode
from suture.feeds import alpine, arch, debian, osv, ubuntu
from suture.feeds.feed import FeedFile, Record
from suture.reading import UnreadableError

RECORDED = Path(__file__).parents[1] / "recorded/feeds"
HOSTILE = RECORDED / "hostile"

_Read = Callable[[FeedFile], Iterable[Record]]


def _vex_document(file: FeedFile) -> Iterator[Advisory]:
    advisory = ubuntu.parse_vex_document(file.location.read_bytes(), name=file.name)
    if advisory is not None:
        yield advisory


# By name: what reads a file, what the file is called, and recorded files to begin from.
PARSERS: dict[str, tuple[_Read, str, str]] = {
    "osv": (osv.parser("fuzz"), "document.json", "osv/*.json"),
    "osv-archive": (osv.parser("fuzz"), "all.tar", "osv/*.json"),
    "debian-tracker": (debian.parse_tracker, "json", "debian/tracker.json"),
    "debian-list": (debian.parse_list, "DSA/list", "debian/D*-list"),
    "ubuntu-osv": (ubuntu.parse_osv, "osv-all.tar.xz", "osv/UBUNTU-*.json"),
    "ubuntu-vex": (ubuntu.parse_vex, "vex-all.tar.xz", "ubuntu/CVE-*.json"),
    "ubuntu-vex-document": (_vex_document, "CVE-2024-1000.json", "ubuntu/CVE-*.json"),
    "alpine-secdb": (alpine.parse, "v3.18/main.json", "alpine/*.json"),
    "arch": (arch.parse, "issues/all.json", "arch/all.json"),
}


def records(parser: str, data: bytes) -> int:
    """How many records ``data`` holds, 0 where it is refused. All else that it raises is a bug."""
    read, name, _ = PARSERS[parser]
    count = 0
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        try:
            for record in read(FeedFile(name, file.name)):
                if decode(encode(record), type(record)) != record:
                    raise AssertionError(f"{record} is not what is stored of it")
                count += 1
        except UnreadableError:
            return 0
    return count


def seeds(parser: str) -> list[bytes]:
    """Recorded files, in archives where the parser reads archives."""
    _read, name, pattern = PARSERS[parser]
    paths = sorted(RECORDED.glob(pattern))
    if ".tar" not in name:
        return [path.read_bytes() for path in paths]
    year = "cve/2024"
    packed, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive, zipfile.ZipFile(zipped, "w") as pack:
        for path in paths:
            archive.add(path, f"{year}/{path.name}")
            pack.write(path, f"{year}/{path.name}")
    return [packed.getvalue(), zipped.getvalue()]


def main(arguments: list[str]) -> int:
    if len(arguments) < 2 or arguments[1] not in PARSERS:
        print(f"usage: {arguments[0]} PARSER [libFuzzer's options]\nPARSER: {', '.join(PARSERS)}")
        return 2
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: pip install atheris")
        return 1
    parser = arguments.pop(1)
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds(parser)):
            (Path(corpus) / str(number)).write_bytes(seed)
        atheris.instrument_all()
        atheris.Setup([*arguments, corpus], lambda data: records(parser, data))
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
