"""How a rehearsal looks while it runs, and what it came to."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from suture.cli.output import ago, brief, console, duration, plain, styled, table
from suture.cli.performance_view import print_performance

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

    from suture.core.evidence import Check, StepReport
    from suture.core.planning.plan import HeldBack, Plan
    from suture.services.rehearsals import Standing
    from suture.services.rehearsing import Outcome, Progress
    from suture.services.staging import OnReport, OnStage
    from suture.twin.real_reboot import RealBoot

_MOST_TESTS = 40


@contextmanager
def rehearsal_progress(*, quiet: bool) -> Iterator[Progress]:
    """Prints each step as it ends, and on a terminal what goes on now."""
    from suture.services.rehearsing import Progress

    out = console(stderr=quiet)

    def on_plan(plan: Plan) -> None:
        if not quiet:
            held = ", ".join(f"{one.source} {one.version}" for one in plan.held_back)
            out.print(
                _at()
                + plain(f"held back: {held}", "bold yellow", limit=2000)
                + plain(f"; plan {plan.id} goes on without it")
            )

    def on_standing(standing: Standing) -> None:
        if not quiet and standing.verdict is not None:
            line = _at() + plain(f"{standing.host:<12} ", "bold")
            out.print(line + plain(f"earlier rehearsal: {_standing(standing)}", "dim", limit=1500))

    with step_progress(quiet=quiet) as (on_stage, on_report):
        yield Progress(
            on_stage=on_stage, on_report=on_report, on_plan=on_plan, on_standing=on_standing
        )


@contextmanager
def step_progress(*, quiet: bool) -> Iterator[tuple[OnStage, OnReport]]:
    """What to call with each stage and each report of steps on twins."""
    from rich.console import Group
    from rich.live import Live

    out = console(stderr=quiet)
    stages: dict[str, str] = {}

    def on_stage(host: str, stage: str) -> None:
        stages[host] = stage
        if not quiet and not sys.stdout.isatty():
            out.print(_at() + plain(f"{host:<12} ", "bold") + plain(stage, "dim"))

    def on_report(host: str, report: StepReport) -> None:
        if quiet:
            return
        line = _at() + plain(f"{host:<12} ", "bold") + plain(f"{report.step.value:<17} ")
        line += styled(report.verdict) + plain(f"  {duration(report.seconds)}", "dim")
        out.print(line + plain(f"  {report.reason}" if report.reason else "", limit=1500))

    def now() -> Group:
        return Group(
            *(plain(f"{host}: ", "bold") + plain(what, "dim") for host, what in stages.items())
        )

    if quiet or not sys.stdout.isatty():
        yield on_stage, on_report
        return
    with Live(get_renderable=now, console=out, transient=True, refresh_per_second=4):
        yield on_stage, on_report


def _at() -> Text:
    return plain(datetime.now().astimezone().strftime("%H:%M:%S "), "dim")


def _standing(standing: Standing) -> str:
    """What an earlier rehearsal is worth."""
    if standing.verdict is None or standing.ended_at is None:
        return "not rehearsed yet"
    said = f"{standing.verdict.value} {ago(standing.ended_at, datetime.now(UTC))}"
    if standing.stale:
        return f"{said}, and stale: {standing.stale}"
    return f"{said}, and still counts" if standing.passed else said


def print_standings(standings: Iterable[Standing]) -> None:
    """A line for all hosts that one twin stands for."""
    out = console()
    for one in standings:
        more = f" and {one.hosts - 1} like it" if one.hosts > 1 else ""
        out.print(
            plain(f"Rehearsal of {one.host}{more}: ", "bold")
            + plain(_standing(one), "" if one.passed else "yellow", limit=1500)
        )


def print_outcome(outcome: Outcome) -> None:
    """A line a rehearsal, why it failed, and what to do next."""
    out = console()
    made = table("Plan", "Twin of", "Verdict", "Took", "|Suspected", "|Why")
    for one in outcome.rehearsals:
        made.add_row(
            plain(one.plan),
            plain(one.host),
            styled(one.verdict),
            plain(duration(one.seconds)),
            plain(", ".join(one.suspects), limit=1500),
            plain(one.reason, limit=1500),
        )
    out.print(made)
    for one in outcome.rehearsals:
        if one.performance:
            print_performance(one.host, one.performance)
        if one.regression:
            checks = ", ".join(f"{check.name}: {check.detail}" for check in one.regression)
            out.print(plain(f"Earlier work on {one.host}: ", "bold") + plain(checks, limit=2000))
        if one.suites:
            _print_suites(one.host, one.suites)
        if one.real_boot:
            _print_real_boot(one.host, one.real_boot)
    print_standings(outcome.reused)
    above = {one.reason for one in outcome.rehearsals}
    for reason, names in _held_back(outcome.held_back).items():
        out.print(
            plain(f"Held back {', '.join(names)}: ", "yellow", limit=2000)
            + plain(brief(reason, above), limit=1500)
        )
    out.print(plain(f"Plan {outcome.plan}: ", "bold") + styled(outcome.verdict))
    if outcome.verdict.value == "pass":
        out.print(plain(f"Next: suture rollout start {outcome.plan}", "bold"))
    elif outcome.reason:
        out.print(plain(brief(outcome.reason, above), limit=2000))


def _print_suites(host: str, checks: Sequence[Check]) -> None:
    """How many tests passed in all states of the twin, and each that did not."""
    wrong = [check for check in checks if check.verdict.value != "pass"]
    out = console()
    line = plain(f"Suites on {host}: ", "bold")
    out.print(line + plain(f"{len(checks) - len(wrong)} of {len(checks)} results are a pass"))
    for check in wrong[:_MOST_TESTS]:
        line = plain("  ") + styled(check.verdict) + plain(f"  {check.name}: {check.detail}")
        out.print(line)
    if len(wrong) > _MOST_TESTS:
        out.print(plain(f"  and {len(wrong) - _MOST_TESTS} more, in --json", "dim"))


def _print_real_boot(host: str, found: RealBoot) -> None:
    line = plain(f"Reboot of {host}: ", "bold") + styled(found.verdict)
    if found.accelerator:
        how = "in software" if found.accelerator == "tcg" else found.accelerator.upper()
        line += plain(f"  on a virtual machine ({how}), {duration(found.seconds)}", "dim")
    if found.kernels:
        line += plain(": " + " → ".join(one.partition(" ")[0] for one in found.kernels))
    if found.reason:
        line += plain(f"  {found.reason}", limit=1500)
    console().print(line)


def _held_back(entries: Iterable[HeldBack]) -> dict[str, list[str]]:
    """Source and version of each, by the reason that they have in common."""
    by_reason: dict[str, list[str]] = {}
    for entry in entries:
        by_reason.setdefault(entry.reason, []).append(f"{entry.source} {entry.version}")
    return by_reason
