"""Suites of tests: what they are made of, and what their results say about a patch.

A suite runs on a twin before the patch, with it, and after the way back. A test that fails before
the patch already says nothing about the patch; one that passed before has to pass ever after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from suture.core.documents import Document, digest
from suture.core.evidence import Check, Verdict
from suture.core.policies.suites import SuiteKind

BEFORE = "before the patch"


class SuiteFile(Document, frozen=True):
    """``path`` is relative to the suite's directory."""

    path: str
    content: bytes
    executable: bool = False


class Suite(Document, frozen=True):
    """A suite as it was read from the controller. ``entry`` is the file to run, empty for all of
    them. ``goss`` is the program's content, empty where the twin has its own; ``python`` the
    interpreter's name or path on the controller."""

    name: str
    kind: SuiteKind
    timeout_s: float
    entry: str
    files: tuple[SuiteFile, ...]
    goss: bytes = b""
    python: str = ""

    @property
    def digest(self) -> str:
        """Of all that may change what it says, as 64 hex digits."""
        files = [(one.path, _sha256(one.content), one.executable) for one in self.files]
        goss = _sha256(self.goss)
        parts = (self.name, self.kind, self.timeout_s, self.entry, files, goss, self.python)
        return digest(parts)


class SuiteRun(Document, frozen=True):
    """One run of a suite: a check for each test. ``trouble`` says why it told nothing, empty where
    it told something."""

    suite: str
    checks: tuple[Check, ...] = ()
    trouble: str = ""

    @classmethod
    def of(cls, suite: str, checks: Iterable[Check]) -> SuiteRun:
        """The checks by the names of their tests; of those with the same name the worst."""
        by_name: dict[str, Check] = {}
        for check in checks:
            known = by_name.get(check.name)
            if known is None or _BADNESS[check.verdict] > _BADNESS[known.verdict]:
                by_name[check.name] = check
        if not by_name:
            return cls(suite, trouble="it has no test")
        return cls(suite, tuple(by_name.values()))


_BADNESS = {Verdict.PASS: 0, Verdict.INCONCLUSIVE: 1, Verdict.FAIL: 2}


def baseline(runs: Sequence[SuiteRun]) -> tuple[Check, ...]:
    """What the suites said before the patch; no failure is held against it."""
    return tuple(
        _named(run, check, BEFORE) if check.verdict is Verdict.PASS else _not_counted(run, check)
        for run in runs
        for check in run.checks
    )


def unsound(runs: Sequence[SuiteRun]) -> str:
    """Why the suites prove nothing about the patch; empty where they do."""
    for run in runs:
        if run.trouble:
            return f"the suite {run.suite} tells nothing before the patch: {run.trouble}"
    checks = [(run, check) for run in runs for check in run.checks]
    if checks and not any(check.verdict is Verdict.PASS for _, check in checks):
        run, check = checks[0]
        return (
            f"no test of the suites passes on the twin before the patch, so they prove nothing: "
            f"{_name(run, check)}: {check.detail}; leave less out (twin.exclude), or write tests "
            "that need no data"
        )
    return ""


def compare(before: Sequence[SuiteRun], now: Sequence[SuiteRun], when: str) -> tuple[Check, ...]:
    """What became of the tests that passed before the patch; ``when`` is part of the names."""
    earlier = {run.suite: run for run in before}
    return tuple(check for run in now for check in _compared(earlier[run.suite], run, when))


def _compared(before: SuiteRun, now: SuiteRun, when: str) -> Iterable[Check]:
    if now.trouble:
        yield Check(f"{now.suite}, {when}", Verdict.INCONCLUSIVE, now.trouble)
        return
    results = {check.name: check for check in now.checks}
    for check in before.checks:
        if check.verdict is Verdict.PASS:
            missing = Check(check.name, Verdict.INCONCLUSIVE, "it did not run any more")
            yield _named(now, results.get(check.name, missing), when)


def _name(run: SuiteRun, check: Check) -> str:
    return f"{run.suite}: {check.name}" if check.name else run.suite


def _named(run: SuiteRun, check: Check, when: str) -> Check:
    return Check(f"{_name(run, check)}, {when}", check.verdict, check.detail)


def _not_counted(run: SuiteRun, check: Check) -> Check:
    detail = f"not counted: {check.detail}"
    return Check(f"{_name(run, check)}, {BEFORE}", Verdict.INCONCLUSIVE, detail)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
