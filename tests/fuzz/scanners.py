"""Readers of scanners' files against bytes that nobody wrote: records or
:class:`UnreadableError`, ever.

``python tests/fuzz/scanners.py READER [libFuzzer's options]`` looks for inputs that are neither,
with atheris, beginning from the recorded files. What it finds belongs in
``tests/recorded/scanners/fuzzed/``, where the unit tests read it again.
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from suture.core.documents import decode, encode
from suture.imports import nessus, openscap, openvas, qualys, qualys_knowledge
from suture.imports.scanners import Read, ReadChecks, recognise
from suture.reading import UnreadableError

RECORDED = Path(__file__).parents[1] / "recorded/scanners"

# By name: what reads a file, and recorded files to begin from.
READERS: dict[str, tuple[Read | ReadChecks, str]] = {
    "nessus-xml": (nessus.of_xml, "nessus.nessus"),
    "nessus-csv": (nessus.of_csv, "tenable-*.csv"),
    "openvas-xml": (openvas.of_xml, "openvas.xml"),
    "openvas-csv": (openvas.of_csv, "openvas.csv"),
    "qualys-assets": (qualys.of_assets, "qualys-assets.xml"),
    "qualys-csv": (qualys.of_csv, "qualys*.csv"),
    "qualys-detections": (qualys.of_detections, "fuzzed/qualys-detections-*"),
    "qualys-knowledgebase": (qualys_knowledge.of_xml, "qualys-knowledgebase.xml"),
    "qualys-scan": (qualys.of_scan, "fuzzed/qualys-scan-*"),
    "openscap": (openscap.of_xml, "xccdf.xml"),
}


def read_or_refused(read: Read | ReadChecks, path: Path) -> None:
    """Whatever is read can be stored and read back. All else that it raises is a bug."""
    with suppress(UnreadableError):
        recognise(path)
    with suppress(UnreadableError):
        for record in read(path):
            if decode(encode(record), type(record)) != record:
                raise AssertionError(f"{record} is not what is stored of it")


def _tried(read: Read | ReadChecks, data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        read_or_refused(read, Path(file.name))


def main(arguments: list[str]) -> int:
    if len(arguments) < 2 or arguments[1] not in READERS:
        print(f"usage: {arguments[0]} READER [libFuzzer's options]\nREADER: {', '.join(READERS)}")
        return 2
    try:
        import atheris
    except ImportError:
        print("atheris is not installed: pip install atheris")
        return 1
    read, pattern = READERS[arguments.pop(1)]
    with tempfile.TemporaryDirectory() as corpus:
        for number, path in enumerate(sorted(RECORDED.glob(pattern))):
            (Path(corpus) / str(number)).write_bytes(path.read_bytes())
        atheris.instrument_all()
        atheris.Setup([*arguments, corpus], lambda data: _tried(read, data))
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
