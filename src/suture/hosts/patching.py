"""Patching a host, step by step; the engine and the twin's rehearsal run the same steps.

Every step may be called again at any time: what was done is reported, not done twice. Every
expected failure is a :class:`StepReport`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from suture.core.evidence import Step, StepReport
from suture.hosts.acquire import acquire
from suture.hosts.apply import apply
from suture.hosts.preflight import assumed_state, preflight
from suture.hosts.reboot import reboot
from suture.hosts.reboot_back import reboot_roll_back
from suture.hosts.returning import bundle
from suture.hosts.rollback import roll_back
from suture.hosts.services import restart
from suture.hosts.session import Connect, PatchSession, PatchSettings
from suture.hosts.verification import verify, verify_roll_back

StepFunction = Callable[[PatchSession], Awaitable[StepReport]]

SEQUENCE: tuple[tuple[Step, StepFunction], ...] = (
    (Step.ACQUIRE, acquire),
    (Step.PREFLIGHT, preflight),
    (Step.BUNDLE, bundle),
    (Step.APPLY, apply),
    (Step.RESTART, restart),
    (Step.REBOOT, reboot),
    (Step.VERIFY, verify),
)
"""The steps of patching a host; each needs a pass of the one before."""

WAY_BACK: tuple[tuple[Step, StepFunction], ...] = (
    (Step.ROLL_BACK, roll_back),
    (Step.REBOOT_ROLL_BACK, reboot_roll_back),
    (Step.VERIFY_ROLL_BACK, verify_roll_back),
)
"""The steps of taking a patch back; the last is asked however the others ended."""

__all__ = [
    "SEQUENCE",
    "WAY_BACK",
    "Connect",
    "PatchSession",
    "PatchSettings",
    "StepFunction",
    "acquire",
    "apply",
    "assumed_state",
    "bundle",
    "preflight",
    "reboot",
    "reboot_roll_back",
    "restart",
    "roll_back",
    "verify",
    "verify_roll_back",
]
