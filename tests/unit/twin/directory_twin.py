"""A twin that is a directory of this machine."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from suture.hosts.transport import Result, Transport


@dataclass
class DirectoryTwin:
    """Runs scripts of the twin with its state below ``root``."""

    root: Path
    name: str = "web1"
    puts: list[str] = field(default_factory=list)
    has_sshd: bool = True
    console: str = ""

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Transport]:
        yield cast(Transport, self)

    @asynccontextmanager
    async def ssh(self, directory: Path) -> AsyncIterator[Path]:
        if not self.has_sshd:
            raise OSError("there is no way in for SSH: the twin has no sshd")
        yield directory / "ssh_config"

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        script = script.replace("/var/lib/suture", str(self.root))
        found = subprocess.run(  # noqa: ASYNC221 (as short as a test may be)
            ["sh", "-c", script], input=stdin, capture_output=True, timeout=timeout_s, check=False
        )
        return Result(found.returncode, found.stdout, found.stderr)

    async def put(self, data: bytes, path: str, *, mode: int = 0o600) -> None:
        self.puts.append(path)
        place = Path(path.replace("/var/lib/suture", str(self.root)))
        place.write_bytes(data)
        place.chmod(mode)
