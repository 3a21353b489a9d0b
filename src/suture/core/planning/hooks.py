"""Hooks: commands of the organisation's own around the patching of a host.

A drain takes a host out of its load balancer or cluster, an undrain puts it back. Commands are
taken from the policy as they are written there. What they are about they learn from their
environment alone; nothing is ever put into their text.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from suture.core.documents import Document
from suture.core.evidence import Step
from suture.core.words import AbsolutePath, Pattern, Span, Text, seconds


class HookPhase(StrEnum):
    """BEFORE and AFTER stand around the installation while the host is drained last, AFTER a
    host that was verified. A failed BEFORE or DRAIN leaves the host alone, a failed AFTER is a
    failure of the patch. UNDRAIN follows every DRAIN, however the host's work ended."""

    BEFORE = "before"
    DRAIN = "drain"
    AFTER = "after"
    UNDRAIN = "undrain"


class Place(StrEnum):
    CONTROLLER = "controller"
    HOST = "host"


class Hook(Document, frozen=True, omit_defaults=True):
    """One command for ``/bin/sh``. ``environment`` is a file on the controller, readable by its
    owner alone, with more variables for it: what is secret stays there."""

    when: HookPhase
    run: Place
    command: str
    timeout_s: float
    environment: str = ""


class HookPolicy(Document, frozen=True, kw_only=True):
    """A hook as a person writes it, for the hosts that ``on`` matches."""

    on: Pattern
    when: HookPhase
    run: Place = Place.CONTROLLER
    command: Text
    timeout: Span = "60s"
    environment: AbsolutePath | None = None

    def __post_init__(self) -> None:
        if self.environment and self.run is Place.HOST:
            raise ValueError(
                "environment is a file on the controller; for a hook that runs on the host, let "
                "the command read a file there"
            )

    @property
    def hook(self) -> Hook:
        timeout_s = seconds(self.timeout)
        return Hook(self.when, self.run, self.command, timeout_s, self.environment or "")


def undrained(hooks: Iterable[HookPolicy]) -> str:
    """The first ``on`` that is drained and never undrained, or the other way round; empty where
    there is none."""
    sides = {HookPhase.DRAIN: set[str](), HookPhase.UNDRAIN: set[str]()}
    for hook in hooks:
        if hook.when in sides:
            sides[hook.when].add(hook.on)
    return min(sides[HookPhase.DRAIN] ^ sides[HookPhase.UNDRAIN], default="")


_STEPS = {
    HookPhase.BEFORE: (Step.BEFORE,),
    HookPhase.DRAIN: (Step.DRAIN, Step.DRAIN_ROLL_BACK),
    HookPhase.AFTER: (Step.AFTER,),
    HookPhase.UNDRAIN: (Step.UNDRAIN, Step.UNDRAIN_ROLL_BACK),
}

PHASE_OF = {step: phase for phase, steps in _STEPS.items() for step in steps}
"""The steps that are hooks. A host is drained for its way back as well."""


def hook_steps(hooks: Iterable[Hook]) -> tuple[Step, ...]:
    """The steps that a host with these hooks has besides the usual ones."""
    phases = {hook.when for hook in hooks}
    return tuple(step for step, phase in PHASE_OF.items() if phase in phases)
