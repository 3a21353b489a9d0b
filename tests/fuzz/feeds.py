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

from suture.core.documents import Document, decode, encode
from suture.core.intelligence.advisories import Advisory
from suture.core.intelligence.enrichment import Epss
from suture.feeds import (
    almalinux,
    alpine,
    arch,
    cisa,
    cve,
    debian,
    epss,
    nvd,
    oracle,
    osv,
    redhat,
    rocky,
    suse,
    ubuntu,
    updateinfo,
)
from suture.feeds.feed import FeedFile
from suture.reading import UnreadableError, opened

RECORDED = Path(__file__).parents[1] / "recorded/feeds"
HOSTILE = RECORDED / "hostile"

_REPOSITORY = "almalinux/9/AppStream/x86_64/os/repodata"
_UPDATES = next((RECORDED / _REPOSITORY).glob("*-updateinfo.xml.gz"))

_Read = Callable[[FeedFile], Iterable[Document]]


def _vex_document(file: FeedFile) -> Iterator[Advisory]:
    advisory = ubuntu.parse_vex_document(file.location.read_bytes(), name=file.name)
    if advisory is not None:
        yield advisory


def _updates(file: FeedFile) -> Iterator[Advisory]:
    """A repository's list of updates, without the list of its modules."""
    return updateinfo.parser("almalinux", "almalinux:9")(FeedFile("", "", parts=(file,)))


def _modules(file: FeedFile) -> Iterator[Advisory]:
    """A repository's list of modules, beside the recorded list of its updates."""
    parts = (file, FeedFile(_UPDATES.name, str(_UPDATES)))
    return updateinfo.parser("almalinux", "almalinux:9")(FeedFile("", "", parts=parts))


def _scores(file: FeedFile) -> Iterator[Epss]:
    table = epss.scores(file)
    for name in table.cves:
        score = table.get(name.decode())
        assert score is not None
        yield score


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
    "redhat-vex": (redhat.parse, "cve-2023-6238.json", "redhat/cve-2023-6238.json"),
    "suse-vex": (suse.parse_vex, "csaf-vex/cve-2023-5568.json", "suse/cve-2023-5568.json"),
    "oracle": (oracle.parse, "elsa-all.xml", "oracle/com.oracle.elsa-all.xml.bz2"),
    "updateinfo": (_updates, "updateinfo.xml", f"{_REPOSITORY}/{_UPDATES.name}"),
    "modules": (_modules, "modules.yaml", f"{_REPOSITORY}/*-modules.yaml.gz"),
    "almalinux-errata": (almalinux.parse_errata, "9/errata.full.json", "almalinux/errata.*.json"),
    "rocky-errata": (rocky.parse_errata, "page.json", "rocky/page1.json"),
    "nvd": (nvd.parse, "nvdcve-2.0-2024.json", "nvd/page.json"),
    "cve": (cve.parse, "main.tar.gz", "cve/CVE-*.json"),
    "vulnrichment": (cve.parse_additions, "develop.tar.gz", "cve/CVE-*.json"),
    "epss": (_scores, "epss_scores-2023-03-07.csv", "epss/epss_scores-*.csv.gz"),
    "cisa-kev": (cisa.parse, "kev.json", "cisa/known_exploited_vulnerabilities.json"),
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
    """Recorded files, unpacked, or in archives where the parser reads archives."""
    _read, name, pattern = PARSERS[parser]
    paths = sorted(RECORDED.glob(pattern))
    if ".tar" not in name:
        return [_unpacked(path) for path in paths]
    year = "cve/2024"
    packed, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive, zipfile.ZipFile(zipped, "w") as pack:
        for path in paths:
            archive.add(path, f"{year}/{path.name}")
            pack.write(path, f"{year}/{path.name}")
    return [packed.getvalue(), zipped.getvalue()]


def _unpacked(path: Path) -> bytes:
    with opened(path) as stream:
        return stream.read()


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
