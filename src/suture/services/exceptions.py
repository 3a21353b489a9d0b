"""Accepting findings for a time, by name and with a reason."""

from __future__ import annotations

import re
from datetime import date

from suture.core.assessment.exceptions import RiskException
from suture.core.documents import Document
from suture.core.intelligence.advisories import vulnerability_id
from suture.services import fleet
from suture.services.collecting import clock
from suture.services.errors import NotFoundError, ServiceError
from suture.services.workspace import Workspace
from suture.store import events, exceptions

_LINE = re.compile(r"[^\x00-\x1f\x7f]{1,500}")


class ExceptionStatus(Document, frozen=True):
    """``in_force``: it covers findings today. One that ran out no longer does, by itself."""

    exception: RiskException
    in_force: bool
    days_left: int


def add(
    workspace: Workspace,
    *,
    cve: str,
    package: str,
    on: str,
    owner: str,
    reason: str,
    until: date,
    control: str,
    actor: str,
) -> RiskException:
    """Accept findings until, but not on, ``until``; raises :class:`ServiceError` for a wrong
    word."""
    wanted = vulnerability_id(cve) if cve else ""
    if wanted is None:
        raise ServiceError(f"not a CVE: {cve!r:.80}", "Write it as CVE-2026-12345.")
    texts = {"owner": owner, "reason": reason, "on": on, "control": control, "package": package}
    for name, text in texts.items():
        if text and not _LINE.fullmatch(text):
            raise ServiceError(f"{name} is not one line of text", "At most 500 characters.")
    now = clock()
    with fleet.opened(workspace) as store, store.begin() as connection:
        try:
            made = RiskException(
                id=exceptions.next_id(connection),
                owner=owner,
                reason=reason,
                since=now.date(),
                expires=until,
                cve=wanted,
                package=package,
                on=on,
                control=control,
            )
        except ValueError as error:
            raise ServiceError(str(error), "See: suture exception add --help") from None
        exceptions.save(connection, made, actor, now)
        events.append(
            connection, at=now, kind="exception.added", subject=made.id, actor=actor, data=made
        )
    return made


def listing(workspace: Workspace) -> tuple[ExceptionStatus, ...]:
    """All that nobody has ended, those that run out first at the top."""
    today = clock().date()
    with fleet.opened(workspace) as store, store.read() as connection:
        found = exceptions.listing(connection)
    made = [
        ExceptionStatus(one, one.is_in_force(today), max(0, (one.expires - today).days))
        for one in found
    ]
    return tuple(sorted(made, key=lambda one: (not one.in_force, one.exception.expires)))


def remove(workspace: Workspace, exception_id: str, actor: str) -> None:
    """End it now: its findings are open again. Raises :class:`NotFoundError`."""
    now = clock()
    with fleet.opened(workspace) as store, store.begin() as connection:
        if not exceptions.remove(connection, exception_id.upper(), now):
            raise NotFoundError(
                f"no exception {exception_id!r:.40}", "List them: suture exception list"
            )
        events.append(
            connection, at=now, kind="exception.removed", subject=exception_id.upper(), actor=actor
        )
