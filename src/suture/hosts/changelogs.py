"""Changelogs of new versions, out of the packages themselves.

What a version fixes stands in its changelog, which every binary package of the source carries.
So one binary for each source is downloaded through the host's own apt, which checks it against
the archive's signed index: no service beyond the distribution's archive is needed. The packages
are removed again: a scan leaves nothing on a host.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from suture.core.documents import Document
from suture.hosts.managers.fields import check_arch, check_name, check_version
from suture.hosts.sections import MalformedError, read_sections
from suture.hosts.shell import printable, program
from suture.hosts.text import clean
from suture.hosts.transport import FailureKind, HostError, HostFailure, Transport

TIMEOUT_S = 900.0
_ROUNDS = 4


class Binary(Document, frozen=True):
    """A binary package of the wanted source version; ``size`` in bytes."""

    name: str
    arch: str
    version: str
    size: int


class ChangelogWanted(Document, frozen=True):
    """``version`` is the source version on offer, ``since`` the one installed."""

    source: str
    version: str
    since: str
    binaries: tuple[Binary, ...]


class ChangelogFound(Document, frozen=True):
    """The entries newer than ``since``, as text, at most 200 kB; else why there are none.

    Where ``since`` is not in the changelog the text goes on below it.
    """

    source: str
    version: str
    text: str = ""
    failure: str = ""


async def fetch_changelogs(
    transport: Transport, wanted: Sequence[ChangelogWanted], *, nonce: str
) -> tuple[ChangelogFound, ...]:
    """The changelog of each source, in the order asked for.

    The smallest binary is tried first. Some carry none (their documentation directory is a link
    into another package): those sources are tried again with the next binary.
    Raises :class:`HostError`; what the archive cannot give is a failure in the answer.
    """
    found: dict[int, ChangelogFound] = {}
    candidates = [sorted(one.binaries, key=lambda each: each.size) for one in wanted]
    for turn in range(_ROUNDS):
        trying = {
            number: candidates[number][turn]
            for number in range(len(wanted))
            if not (number in found and found[number].text) and turn < len(candidates[number])
        }
        if not trying:
            break
        for number, (text, failure) in (await _try(transport, wanted, trying, nonce)).items():
            one = wanted[number]
            found[number] = ChangelogFound(
                source=one.source, version=one.version, text=text, failure=failure
            )
    return tuple(
        found.get(number)
        or ChangelogFound(
            source=one.source, version=one.version, failure="no binary package of it is known"
        )
        for number, one in enumerate(wanted)
    )


async def _try(
    transport: Transport,
    wanted: Sequence[ChangelogWanted],
    trying: Mapping[int, Binary],
    nonce: str,
) -> dict[int, tuple[str, str]]:
    """(text, failure) of one binary for each source."""
    lines = [
        f"{number} {check_name(one.name)} {check_arch(one.arch)} {check_version(one.version)} "
        f"{check_version(wanted[number].since)}"
        for number, one in trying.items()
    ]
    script = program("sections", "changelogs", "sections-end", nonce=nonce, wanted="\n".join(lines))
    result = await transport.run(script, timeout_s=TIMEOUT_S)
    try:
        reading = read_sections(result.stdout, nonce)
    except MalformedError as error:
        raise HostError(
            HostFailure(
                host=transport.name,
                kind=FailureKind.MALFORMED,
                message=f"no changelogs came: {clean(str(error))}",
                remedy="Check free space in /var on the host, then try again.",
            )
        ) from None
    answers = {}
    for number, one in trying.items():
        text = printable(reading.text(f"changelog {number}").encode())
        failure = clean(reading.first(f"failed {number}"), 300) or f"{one.name} was not downloaded"
        answers[number] = (text, "" if text else failure)
    return answers
