"""Verdicts and the reports of steps: what was done, seen and decided, in a form that is kept."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, UnsetType

from suture.core.documents import Document


class Verdict(StrEnum):
    """INCONCLUSIVE is neither: it pauses, it never passes."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Better(StrEnum):
    """Which way of a number is the good one."""

    LOWER = "lower"
    HIGHER = "higher"


class Step(StrEnum):
    """The steps of patching a host, in order; those of the way back stand apart. BEFORE, DRAIN,
    AFTER and UNDRAIN are hooks, which most hosts do not have. FETCH goes ahead of all others, and
    is reported by its verdict alone."""

    FETCH = "fetch"
    ACQUIRE = "acquire"
    PREFLIGHT = "preflight"
    BUNDLE = "bundle"
    BEFORE = "before"
    DRAIN = "drain"
    APPLY = "apply"
    RESTART = "restart"
    REBOOT = "reboot"
    VERIFY = "verify"
    AFTER = "after"
    UNDRAIN = "undrain"
    DRAIN_ROLL_BACK = "drain-roll-back"
    ROLL_BACK = "roll-back"
    REBOOT_ROLL_BACK = "reboot-roll-back"
    VERIFY_ROLL_BACK = "verify-roll-back"
    UNDRAIN_ROLL_BACK = "undrain-roll-back"


class Check(Document, frozen=True):
    """One question asked while a step ran, and its answer."""

    name: str
    verdict: Verdict
    detail: str = ""


class StepReport(Document, frozen=True):
    """One step on one host.

    ``reason`` says why the verdict is not a pass, in one sentence that an operator can act on;
    with a pass, what there is to know all the same.
    ``changed_host`` tells whether the host may differ from before the step: a failed step that
    changed nothing leaves the host alone, any other needs the way back. ``suspects`` are source
    packages that the step holds responsible. ``log`` is the end of what the host printed.
    ``unreachable`` is there where the host did not answer.
    """

    host: str
    step: Step
    verdict: Verdict
    started_at: datetime
    seconds: float
    reason: str = ""
    changed_host: bool = False
    suspects: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()
    transaction: str = ""
    log: str = ""
    unreachable: bool | UnsetType = UNSET


class Event(Document, frozen=True):
    """One link of the append-only log; ``hash`` covers ``previous`` and everything else.

    ``subject`` is a rollout id, a plan id or a host, depending on ``kind`` (``rollout.started``,
    ``step.finished``, …). ``data`` is canonical JSON text.
    """

    seq: int
    at: datetime
    kind: str
    subject: str
    host: str
    actor: str
    data: str
    previous: str
    hash: str
