"""What lint says: problems, each with its remedy."""

from __future__ import annotations

from enum import StrEnum

from suture.core.documents import Document

REPLAN = "Make the plan anew: suture plan create."


class ProblemSeverity(StrEnum):
    """A plan with an ERROR is not executed; a WARNING is for a person to weigh."""

    ERROR = "error"
    WARNING = "warning"


class Problem(Document, frozen=True):
    """``where`` is a host, a wave, a service or ``plan``; ``code`` is stable."""

    code: str
    severity: ProblemSeverity
    where: str
    message: str
    remedy: str


def error(code: str, where: str, message: str, remedy: str) -> Problem:
    return Problem(code, ProblemSeverity.ERROR, where, message, remedy)


def warning(code: str, where: str, message: str, remedy: str) -> Problem:
    return Problem(code, ProblemSeverity.WARNING, where, message, remedy)
