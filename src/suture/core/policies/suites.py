"""Test suites of the organisation's own, as a person writes them down."""

from __future__ import annotations

from enum import StrEnum

from suture.core.documents import Document
from suture.core.words import AbsolutePath, Duration, Name, Pattern, seconds


class SuiteKind(StrEnum):
    """GOSS and COMMAND run on the twin, TESTINFRA on the controller, over SSH."""

    GOSS = "goss"
    TESTINFRA = "testinfra"
    COMMAND = "command"


class SuitePolicy(Document, frozen=True, kw_only=True):
    """A suite that is run in rehearsals of hosts that ``on`` matches.

    ``path`` is a file or a directory on the controller. ``goss`` is a program on the controller
    that is copied to the twin, which needs one of its own without it; ``python`` is the interpreter
    on the controller that has pytest-testinfra.
    """

    name: Name
    on: Pattern
    kind: SuiteKind
    path: AbsolutePath
    timeout: Duration = "5m"
    goss: AbsolutePath | None = None
    python: AbsolutePath | None = None

    def __post_init__(self) -> None:
        for key, kind in (("goss", SuiteKind.GOSS), ("python", SuiteKind.TESTINFRA)):
            if getattr(self, key) and self.kind is not kind:
                raise ValueError(f"{key} is for suites of kind {kind.value}; remove it")
        if not 1 <= self.timeout_s <= 86_400:
            raise ValueError("timeout is from 1s to 1d")

    @property
    def timeout_s(self) -> float:
        return seconds(self.timeout)
