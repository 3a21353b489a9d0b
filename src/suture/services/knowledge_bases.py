"""Taking over what a scanner says of its checks, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from suture.core.documents import Document
from suture.core.scanners.scanner import Scanner
from suture.imports.scanners import Catalogue
from suture.reading import UnreadableError
from suture.services.collecting import Progress, clock
from suture.services.spooling import spool
from suture.services.workspace import Workspace
from suture.store import events, scanner_checks
from suture.store.database import Store

_STEP = 1000


class KnowledgeBase(Document, frozen=True):
    """A catalogue that was taken in: ``checks`` it describes, of which ``changed`` were new or
    different from before; ``known`` are known now."""

    scanner: Scanner
    format: str
    name: str
    checks: int
    changed: int
    known: int


def keep(
    store: Store, workspace: Workspace, path: Path, catalogue: Catalogue, progress: Progress
) -> KnowledgeBase:
    """What ``path`` says of checks counts from now on, for reports that were imported before as
    well. Raises :class:`UnreadableError`, and then nothing of it is kept."""
    checks = 0
    with spool(workspace.home) as waiting:
        for check in catalogue.read(path):
            waiting.add(scanner_checks.row(check))
            checks += 1
            if checks % _STEP == 0:
                progress(path.name, f"{checks:,} checks")
        if not checks:
            raise UnreadableError(f"{path.name} is a {catalogue.name} without a check")
        progress(path.name, "storing")
        with store.begin() as connection:
            now = clock()
            changed = scanner_checks.apply(connection, waiting.rows(), now)
            known = scanner_checks.count(connection)
            kept = KnowledgeBase(
                catalogue.scanner, catalogue.name, path.name[:255], checks, changed, known
            )
            if changed:
                events.append(
                    connection,
                    at=now,
                    kind="scanner-knowledge.imported",
                    subject=f"scanner-knowledge {catalogue.scanner.value}",
                    data=kept,
                )
    return kept
