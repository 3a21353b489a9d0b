"""What a policy says about rehearsals and drills."""

from __future__ import annotations

from enum import StrEnum

from suture.core.documents import Document
from suture.core.words import Duration


class RealReboot(StrEnum):
    """Whether a reboot is rehearsed on a virtual machine with the host's own kernel."""

    REQUIRED = "required"  # a new kernel passes only where one booted it
    IF_POSSIBLE = "if-possible"
    NEVER = "never"


class RehearsalPolicy(Document, frozen=True, kw_only=True):
    """``max_age`` is how long a passed rehearsal counts; without one, until an input changes."""

    max_age: Duration | None = None
    real_reboot: RealReboot = RealReboot.REQUIRED


class DrillPolicy(Document, frozen=True, kw_only=True):
    """How often the way back is to be proved on a twin; without ``every``, never."""

    every: Duration | None = None
