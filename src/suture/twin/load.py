"""Load on a twin, and what the twin uses meanwhile.

HTTP load comes from a process of this machine inside the twin's network; a load command runs in
the twin itself, again and again. What either prints is checked: a twin's programs are not trusted.
"""

from __future__ import annotations

import asyncio
import ipaddress
import sys
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from suture.core.documents import Document
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.performance import Sample, Stretch, Usage
from suture.hosts.shell import program, quote
from suture.hosts.text import clean
from suture.hosts.transport import Transport
from suture.twin import cgroups
from suture.twin.machine import Twin

NO_LOAD, FROM_CHECKS = "none", "checks"

_CONNECTIONS = 2
_WARM_UP_S = 3
_MOST_SAMPLES = 200_000
_MOST_BYTES = 16 * 2**20
_LOOK_S = 1.0
_STARTS = 4
_MOST_UNITS = 4
_STARTS_S = 120.0


class LoadError(Exception):
    """The load could not be run at all; the message says why and what to do."""


class LoadSettings(Document, frozen=True):
    """``load`` is a URL, a shell command, ``checks`` for the plan's own HTTP or command check, or
    ``none``. ``seconds`` is how long each stretch of it takes."""

    load: str
    min_effect: float
    seconds: int


def load_of(settings: LoadSettings | None, checks: Iterable[HealthCheck]) -> str | None:
    """The URL or command to run; None where there is none."""
    if settings is None or settings.load == NO_LOAD:
        return None
    if settings.load != FROM_CHECKS:
        return settings.load
    for kind in (HealthCheckKind.HTTP, HealthCheckKind.COMMAND):
        for check in checks:
            if check.kind is kind:
                return check.target
    return None


@dataclass(frozen=True)
class Loading:
    """Runs ``load`` on ``twin``; ``units`` are started anew before each stretch, and timed."""

    twin: Twin
    load: str
    seconds: int
    units: tuple[str, ...]

    async def stretch(self, *, patched: bool) -> Stretch:
        """One stretch of load. Raises :class:`LoadError` and HostError."""
        async with self.twin.connect() as way:
            starts = await _restart(way, self.units[:_MOST_UNITS])
            address = await _resolve(way, self.load) if _is_url(self.load) else None
            await self._run(way, address, _WARM_UP_S)
            async with self._watched() as usage:
                samples = await self._run(way, address, self.seconds)
        return Stretch(patched, self.seconds, samples, tuple(usage), starts)

    async def _run(self, way: Transport, address: str | None, seconds: int) -> tuple[Sample, ...]:
        if address is None:
            return await _command(way, self.load, seconds)
        return await self._http(address, seconds)

    async def _http(self, address: str, seconds: int) -> tuple[Sample, ...]:
        process = await asyncio.create_subprocess_exec(
            *("nsenter", "-t", str(self.twin.leader_pid), "-n", "--"),
            *(sys.executable, "-m", "suture.twin.loader"),
            *(self.load, str(seconds), str(_CONNECTIONS), address),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, said = await asyncio.wait_for(process.communicate(), seconds + 60)
        except TimeoutError:
            raise LoadError(f"the load on {self.load} does not end") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise LoadError(f"the load on {self.load} failed: {clean(said.decode()[-300:])}")
        return _samples(out)

    @asynccontextmanager
    async def _watched(self) -> AsyncIterator[list[Usage]]:
        seen: list[Usage] = []
        began = time.monotonic()
        pid = self.twin.leader_pid

        async def look() -> None:
            while True:
                cpu_s, memory = await asyncio.to_thread(cgroups.usage, pid)
                seen.append(Usage(time.monotonic() - began, cpu_s, memory))
                await asyncio.sleep(_LOOK_S)

        watch = asyncio.create_task(look())
        try:
            yield seen
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)


def _is_url(load: str) -> bool:
    return load.startswith(("http://", "https://"))


async def _resolve(way: Transport, url: str) -> str:
    """The address that the twin itself has for the URL's host."""
    name = urlsplit(url).hostname or ""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    found = await way.run(f"getent ahosts {quote(name)} | head -n 1\n")
    word = found.stdout.decode("ascii", "replace").split(" ")[0].strip()
    try:
        return str(ipaddress.ip_address(word))
    except ValueError:
        raise LoadError(
            f"the twin knows no address of {name!r}; name one in performance.load, or put it into "
            "/etc/hosts"
        ) from None


async def _command(way: Transport, command: str, seconds: int) -> tuple[Sample, ...]:
    script = program("load", LOAD=command, SECONDS_=seconds, MOST=_MOST_SAMPLES)
    result = await way.run(script, timeout_s=2 * seconds + 60)
    if result.exit:
        said = clean(result.stderr.decode("utf-8", "replace")[-300:])
        raise LoadError(f"the load command could not be run: {said or f'status {result.exit}'}")
    return _samples(result.stdout)


async def _restart(way: Transport, units: tuple[str, ...]) -> tuple[float, ...]:
    """The seconds that starting ``units`` anew takes, several times over."""
    if not units:
        return ()
    names = " ".join(quote(unit) for unit in units)
    script = program("load-starts", UNITS=names, TIMES=_STARTS)
    result = await way.run(script, timeout_s=_STARTS_S)
    return tuple(sample.seconds for sample in _samples(result.stdout) if sample.well)


def _samples(printed: bytes) -> tuple[Sample, ...]:
    """Lines of three numbers: begin and duration in microseconds, 1 for well."""
    samples = []
    for line in printed[:_MOST_BYTES].splitlines()[:_MOST_SAMPLES]:
        words = line.split()
        if len(words) == 3 and all(word.isdigit() and len(word) < 16 for word in words):
            at, took, well = map(int, words)
            samples.append(Sample(at / 1e6, took / 1e6, well == 1))
    return tuple(samples)
