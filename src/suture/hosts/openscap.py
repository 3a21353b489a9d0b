"""OpenSCAP where a host has it: what is there, and its results streamed back.

Nothing is installed. The evaluation runs with the lowest priority within a time limit; what it
writes lies in a private directory until it was sent, and is removed whatever happens.
"""

from __future__ import annotations

import re
from contextlib import aclosing
from typing import IO

from suture.core.documents import Document
from suture.core.inventory import OperatingSystem
from suture.hosts.facts import os_release
from suture.hosts.sections import MalformedError, check_nonce, read_sections
from suture.hosts.shell import program
from suture.hosts.text import clean
from suture.hosts.transport import FailureKind, HostError, HostFailure
from suture.hosts.transport.shell import ShellTransport

GUIDES = "/usr/share/xml/scap/ssg/content"
MAX_PACKED = 64_000_000  # bytes on the wire; a large profile has about two million
MAX_RESULTS = 1_000_000_000  # bytes that the evaluation may write on the host

_LOOK_S = 60.0
_MAX_LINE = 4096
_PROFILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,199}")
_CONTENT = re.compile(r"/[A-Za-z0-9._/+-]{1,500}")
# How the guide calls systems that call themselves otherwise in os-release.
_GUIDE = {"rocky": "rl", "sles": "sle", "sled": "sle", "centos": "cs", "opensuse-leap": "opensuse"}


class Evaluation(Document, frozen=True):
    """What is evaluated: a data stream by its path on the host, and one of its profiles, by its
    id or how that ends. ``limit_s`` is in seconds."""

    content: str
    profile: str
    limit_s: int


def is_profile(text: str) -> bool:
    return _PROFILE.fullmatch(text) is not None


def is_content(text: str) -> bool:
    """Whether it is the path of a file, without a word that a shell takes for more than that."""
    return _CONTENT.fullmatch(text) is not None


def guides_for(system: OperatingSystem) -> tuple[str, ...]:
    """How the SCAP Security Guide may call its data stream for ``system``, the likeliest first."""
    digits, major = system.version.replace(".", ""), system.version.partition(".")[0]
    names = dict.fromkeys((system.id, _GUIDE.get(system.id, system.id)))
    products = (f"{name}{version}" for version in (digits, major, "") for name in names)
    return tuple(f"{GUIDES}/ssg-{product}-ds.xml" for product in dict.fromkeys(products))


async def find_content(transport: ShellTransport, *, wanted: str = "", nonce: str) -> str:
    """The data stream to evaluate: ``wanted`` where it is there, else the guide's for the host's
    release. Raises :class:`HostError` where the host has no OpenSCAP, or nothing to evaluate."""
    script = program(
        *("sections", "openscap-look", "sections-end"), nonce=check_nonce(nonce), content=wanted
    )
    result = await transport.run(script, timeout_s=_LOOK_S)
    try:
        reading = read_sections(result.stdout, nonce)
    except MalformedError as error:
        raise _error(
            transport,
            f"the host's answer makes no sense: {clean(str(error))}",
            "Look on the host for a login shell that prints other things, then try again.",
            FailureKind.MALFORMED,
        ) from None
    if not reading.first("oscap"):
        raise _error(
            transport,
            "OpenSCAP is not installed there",
            "Install it if you want it (openscap-scanner); Suture installs nothing.",
        )
    there = set(reading.lines("content"))
    system = os_release(reading)
    for path in (wanted,) if wanted else guides_for(system):
        if path in there:
            return path
    missing = wanted or f"content for {system.release}"
    raise _error(
        transport,
        f"there is no {clean(missing, 200)}",
        "Install the SCAP Security Guide for its release, or name a data stream: --content",
    )


async def evaluate(transport: ShellTransport, wanted: Evaluation, into: IO[bytes]) -> None:
    """Write the packed results (ARF) to ``into``; raises :class:`HostError`."""
    script = program(
        "openscap",
        content=wanted.content,
        profile=wanted.profile,
        limit_s=wanted.limit_s,
        max_blocks=MAX_RESULTS // 512,
    )
    head, size, began = b"", 0, False
    async with aclosing(transport.stream(script, idle_s=wanted.limit_s + 60.0)) as stream:
        async for chunk in stream:
            if not began:
                head += chunk
                line, newline, chunk = head.partition(b"\n")
                if not newline and len(head) <= _MAX_LINE:
                    continue
                if line != b"results":
                    break
                began = True
            size += len(chunk)
            if size > MAX_PACKED:
                raise _error(
                    transport,
                    f"its results are larger than {MAX_PACKED} bytes",
                    "Choose a smaller profile.",
                    FailureKind.MALFORMED,
                )
            into.write(chunk)
    if not began:
        raise _refused(transport, wanted, clean(head[:_MAX_LINE], 600))


def _refused(transport: ShellTransport, wanted: Evaluation, said: str) -> HostError:
    if said == "busy":
        message, remedy = "OpenSCAP is running there already", "Wait for that to end."
        return _error(transport, message, remedy)
    if said == "late":
        return _error(
            transport,
            f"OpenSCAP took longer than {wanted.limit_s} s",
            "Give it more time (--time-limit), or choose a smaller profile.",
            FailureKind.TIMEOUT,
        )
    return _error(
        transport,
        f"OpenSCAP did not work: {said.removeprefix('failed: ') or 'no message'}",
        f"See which profiles there are, on the host: oscap info {wanted.content}",
    )


def _error(
    transport: ShellTransport,
    message: str,
    remedy: str,
    kind: FailureKind = FailureKind.UNSUPPORTED,
) -> HostError:
    return HostError(HostFailure(host=transport.name, kind=kind, message=message, remedy=remedy))
