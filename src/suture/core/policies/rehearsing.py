"""What a policy says about rehearsals and drills."""

from __future__ import annotations

from suture.core.documents import Document
from suture.core.words import Duration


class RehearsalPolicy(Document, frozen=True, kw_only=True):
    """``max_age`` is how long a passed rehearsal counts; without one, until an input changes."""

    max_age: Duration | None = None


class DrillPolicy(Document, frozen=True, kw_only=True):
    """How often the way back is to be proved on a twin; without ``every``, never."""

    every: Duration | None = None
