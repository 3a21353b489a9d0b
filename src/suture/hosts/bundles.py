"""The return bundles on a host: which there are, and those that need not be kept any more."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from suture.core.backups import Bundle, Kept, Retention
from suture.hosts.results import Results
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import read_query
from suture.hosts.transaction import bundle_id
from suture.hosts.transport import FailureKind, HostError, HostFailure, Result, Transport

_MOST = 1000
_NONE = "-"


def retention_functions(session: PatchSession) -> str:
    """The shell functions that prune, with the session's retention."""
    protected = tuple(bundle_id(rollout, session.host) for rollout in session.protected)
    return _functions(session.settings.retention, protected, own=session.bundle_id)


async def list_bundles(transport: Transport, *, check: bool) -> tuple[Bundle, ...]:
    """The host's bundles, each read back again with ``check``. Raises :class:`HostError`."""
    script = program("common", "query", "reading", PLAN="", CHECK=int(check))
    script += _functions(Retention(), (), own="") + program("list-bundles")
    return parse_bundles(_answer(transport.name, await transport.run(script, timeout_s=900)))


async def prune_bundles(
    transport: Transport, retention: Retention, protected: Sequence[str]
) -> tuple[str, ...]:
    """Remove what ``retention`` lets go; the ids. Raises :class:`HostError`, also while a
    transaction is at work."""
    script = program("common", "query", PLAN="") + _functions(retention, protected, own="")
    script += program("prune-bundles")
    results = _answer(transport.name, await transport.run(script, timeout_s=300))
    return tuple(one for (one,) in results.of("removed", 1))


def parse_bundles(results: Results) -> tuple[Bundle, ...]:
    """What the host lists; a line that is not a bundle is left out."""
    packages: dict[str, list[Kept]] = {}
    for tx, key, patched, before in results.of("package", 4):
        packages.setdefault(tx, []).append(Kept(key, patched, None if before == _NONE else before))
    data: dict[str, list[str]] = {}
    for tx, name in results.of("data", 2):
        data.setdefault(tx, []).append(name)
    found = []
    for tx, made, kib, whole, reads, rollout in list(results.of("bundle", 6))[:_MOST]:
        if not (_is_number(made) and _is_number(kib)):
            continue
        found.append(
            Bundle(
                id=tx,
                made_at=datetime.fromtimestamp(int(made), UTC),
                kib=int(kib),
                complete=whole == "yes",
                reads={"yes": True, "no": False}.get(reads),
                rollout=rollout,
                packages=tuple(packages.get(tx, ())),
                data=tuple(data.get(tx, ())),
            )
        )
    return tuple(found)


def _functions(retention: Retention, protected: Sequence[str], *, own: str) -> str:
    return program(
        "snapshots",
        "bundles",
        KEEP_S=retention.keep_s,
        KEEP_LAST=retention.keep_last,
        MAX_KIB=math.ceil(retention.max_bytes / 1024),
        PROTECTED=" ".join(protected),
        RETURN_ID=own,
    )


def _answer(host: str, result: Result) -> Results:
    results, failed = read_query(result)
    if failed:
        raise HostError(
            HostFailure(
                host=host,
                kind=FailureKind.UNSUPPORTED,
                message=f"its return bundles could not be looked at: {failed.reason}",
                remedy="Look at /var/lib/suture on the host, then try again.",
            )
        )
    return results


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 12
