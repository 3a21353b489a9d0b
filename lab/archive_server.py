"""Serves the lab's archive to its hosts, for as long as its owner lives."""

from __future__ import annotations

import functools
import http.server
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

from lab import repository
from suture.core.documents import Document, decode, encode
from suture.twin.processes import Process, find

_ADDRESS = "127.77.255.1"


class Archive(Document, frozen=True):
    """A running server."""

    url: str
    process: Process


def start(directory: Path, owner: Process | None) -> Archive:
    """Start a server of the archive and write down in ``directory`` which process it is."""
    arguments = [str(repository.repository()), str(owner.pid if owner else 0)]
    server = subprocess.Popen(
        [sys.executable, "-m", "lab.archive_server", *arguments],
        cwd=Path(__file__).parent.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    assert server.stdout
    port = server.stdout.readline().strip()
    process = find(server.pid)
    if not port or process is None:
        raise OSError("the lab's archive could not be served")
    archive = Archive(f"http://{_ADDRESS}:{port}/", process)
    (directory / "archive.json").write_bytes(encode(archive))
    return archive


def stop(directory: Path) -> None:
    """End the server that ``directory`` tells of, if there is one."""
    try:
        archive = decode((directory / "archive.json").read_bytes(), Archive)
    except FileNotFoundError:
        return
    archive.process.kill()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """An archive has nothing to say."""


def _end_with(owner: int) -> None:
    handle = os.pidfd_open(owner)
    select.select([handle], [], [])
    os._exit(0)


def main(directory: str, owner: int) -> None:
    handler = functools.partial(_Handler, directory=directory)
    server = http.server.ThreadingHTTPServer((_ADDRESS, 0), handler)
    if owner:
        threading.Thread(target=_end_with, args=(owner,), daemon=True).start()
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
