"""Who has agreed to the waves of a plan, and what these still wait for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from suture.cli.output import plain

if TYPE_CHECKING:
    from rich.console import Console

    from suture.core.planning.plan import Plan
    from suture.core.rollout.approvals import Approval


def print_given(out: Console, plan: Plan, given: Iterable[Approval], waits: Iterable[str]) -> None:
    rings = {wave.index: wave.ring for wave in plan.waves}
    for one in given:
        role = f" as {one.role}" if one.role else ""
        why = f": {one.reason}" if one.reason else ""
        at = one.at.strftime("%Y-%m-%d %H:%M UTC")
        out.print(plain(f"  {rings[one.wave]} approved by {one.by}{role}, {at}{why}"))
    for text in waits:
        out.print(plain(f"  {text}", "bold yellow"))
