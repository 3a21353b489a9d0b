"""The host's package lists, fetched anew."""

from __future__ import annotations

from suture.core.documents import Document
from suture.hosts.sections import MalformedError, read_sections
from suture.hosts.shell import program
from suture.hosts.text import clean
from suture.hosts.transport import Transport


class IndexRefresh(Document, frozen=True):
    """Whether every archive's list is now current, else what apt said."""

    refreshed: bool
    reason: str = ""


async def refresh_indexes(
    transport: Transport, *, nonce: str, wait_s: int = 120, timeout_s: float = 600.0
) -> IndexRefresh:
    """``apt-get update``, after waiting up to ``wait_s`` for another apt.

    One archive that fails is a failure, and an archive without a valid signature is never
    accepted, whatever the host's own settings say. Raises :class:`HostError` from the transport.
    """
    script = program("sections", "refresh", "sections-end", nonce=nonce, wait_s=wait_s)
    result = await transport.run(script, timeout_s=timeout_s + wait_s)
    try:
        reading = read_sections(result.stdout, nonce)
    except MalformedError as error:
        return IndexRefresh(refreshed=False, reason=clean(str(error)))
    if reading.first("status") == "0":
        return IndexRefresh(refreshed=True)
    said = " ".join(reading.lines("said")) or "apt-get update failed without a message"
    return IndexRefresh(refreshed=False, reason=clean(said, 500))
