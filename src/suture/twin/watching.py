"""Who follows what goes on with a twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from suture.core.evidence import StepReport


@dataclass
class Watching:
    """Who follows a rehearsal: each stage in words, each step's report, the output of scripts."""

    on_stage: Callable[[str], None] = lambda _: None
    on_report: Callable[[StepReport], None] = lambda _: None
    on_output: Callable[[str], None] | None = None
