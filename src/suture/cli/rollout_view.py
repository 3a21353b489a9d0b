"""How a rollout looks where it stands, and at its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from suture.cli.approvals_view import print_given
from suture.cli.output import brief, duration, listed, plain, styled, table
from suture.core.rollout.state import HostPhase

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from suture.core.evidence import StepReport
    from suture.core.rollout.state import HostState, RolloutState
    from suture.services.catching_up import CaughtUp
    from suture.services.rollouts import RolloutView, Verified

SHOWN_HOSTS = 20


def print_rollout(out: Console, view: RolloutView) -> None:
    """Where the rollout stands, and what each host that is not well reported."""
    rollout, state = view.rollout, view.rollout.state
    unwell = [report for report in view.reports if report.verdict.value != "pass"]
    below = {report.reason for report in unwell}
    why = brief(state.reason, below, "see below")
    out.print(
        plain(f"Rollout {rollout.id}", "bold")
        + plain(f" of plan {view.plan.id}: ")
        + styled(state.status)
        + plain(f"  {why}" if why else "", limit=2000)
    )
    if rollout.without_rehearsal:
        out.print(plain("  It was started without a passed rehearsal.", "yellow"))
    if len(state.hosts) <= SHOWN_HOSTS:
        out.print(_host_table(view, state.hosts, below))
    else:
        _print_many(out, view, below)
    if fetched := fetched_ahead(state):
        out.print(plain(f"Packages ahead of the start: {fetched}"))
    print_approvals(out, view)
    _print_gates(out, view)
    for report in unwell[:SHOWN_HOSTS]:
        _print_report(out, report)
    _print_more(out, len(unwell) - SHOWN_HOSTS, f"rollout status {rollout.id} --json")
    _print_next(out, view)


def _host_table(view: RolloutView, hosts: Sequence[HostState], said: set[str]) -> Table:
    seconds: dict[str, float] = {}
    for report in view.reports:
        seconds[report.host] = seconds.get(report.host, 0.0) + report.seconds
    waves = {host: wave for wave in view.plan.waves for host in wave.hosts}
    made = table("Host", "Wave", "Phase", "Packages", "CVEs", "Took", "|Why")
    for host in hosts:
        planned = view.plan.host(host.host)
        wave = waves[host.host]
        made.add_row(
            plain(host.host),
            plain(f"{wave.index + 1} {wave.ring}"),
            styled(host.phase),
            plain(len(planned.changes)),
            plain(len(planned.closes)),
            plain(duration(seconds[host.host]) if host.host in seconds else ""),
            plain(brief(host.reason, said, "see below"), limit=1500),
        )
    return made


def _print_many(out: Console, view: RolloutView, said: set[str]) -> None:
    """Each wave in a line, and the hosts that are neither well nor only waiting."""
    phases = {host.host: host.phase for host in view.rollout.state.hosts}
    made = table("Wave", "|Hosts")
    for wave in view.plan.waves:
        counts = Counter(phases[name].value for name in wave.hosts)
        parts = [styled(phase) + plain(f" {number:,}") for phase, number in counts.most_common()]
        made.add_row(plain(f"{wave.index + 1} {wave.ring}"), plain("  ").join(parts))
    out.print(made)
    watched = [
        host
        for host in view.rollout.state.hosts
        if host.phase not in (HostPhase.WAITING, HostPhase.DONE)
    ]
    if watched:
        out.print(_host_table(view, watched[:SHOWN_HOSTS], said))
    more = f"rollout status {view.rollout.id} --json"
    _print_more(out, len(watched) - SHOWN_HOSTS, more)


def _print_more(out: Console, number: int, command: str) -> None:
    if number > 0:
        out.print(plain(f"And {number:,} more: suture {command}", "dim"))


def fetched_ahead(state: RolloutState) -> str:
    """How many hosts get their packages, or got them, before their start; empty for none."""
    known = Counter(host.fetched for host in state.hosts)
    counts = {
        "fetching": sum(host.phase.value == "fetching" for host in state.hosts),
        "fetched": known[True],
        "not fetched": known[False],
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


def _print_gates(out: Console, view: RolloutView) -> None:
    """How far each gate is, and what it found."""
    waves = {wave.index: wave for wave in view.plan.waves}
    for gate in view.rollout.state.gates:
        wave = waves[gate.wave]
        looks = wave.gate.looks(wave.soak_s) if wave.gate else 0
        if gate.verdict is None:
            found = plain(f"{gate.done} of {looks} looks taken")
        else:
            accepted = plain(" (accepted)" if gate.accepted else "")
            found = styled(gate.verdict) + accepted + plain(f"  {gate.reason}", limit=1500)
        out.print(plain(f"Gate after {wave.ring}: ", "bold") + found)


def _print_report(out: Console, report: StepReport) -> None:
    """The reason, or the checks that it is made of."""
    unwell = [check for check in report.checks if check.verdict.value != "pass"]
    checks_say_it = any(f"{check.name}: {check.detail}" in report.reason for check in unwell)
    out.print(
        plain(f"{report.host} {report.step.value}: ", "bold")
        + styled(report.verdict)
        + plain("" if checks_say_it else f"  {report.reason}", limit=2000)
    )
    if report.suspects:
        out.print(plain(f"  suspected: {', '.join(report.suspects)}", "yellow"))
    for check in unwell:
        out.print(plain("  ") + styled(check.verdict) + plain(f" {check.name}: {check.detail}"))
    for line in report.log.splitlines()[-8:]:
        out.print(plain(f"  │ {line}", "dim"))


def print_waiting(out: Console, view: RolloutView) -> None:
    """What ends by itself, and when."""
    for action in view.waiting:
        if action.until is not None:
            text = f"Waiting until {action.until:%a %Y-%m-%d %H:%M} UTC: {action.reason}"
            out.print(plain(text, "bold yellow"))


def _print_next(out: Console, view: RolloutView) -> None:
    """The commands that make sense now."""
    print_waiting(out, view)
    rollout, state = view.rollout, view.rollout.state
    if any(host.phase.is_at_work for host in state.hosts):
        say(out, f"rollout watch {rollout.id}", "go on with it")
    elif rollout.is_over:
        _print_correction(out, view)
        if state.status.value == "done" and any(host.away for host in state.hosts):
            say(out, f"rollout catch-up {rollout.id}", "patch the hosts that were away")
        if any(host.phase.value == "done" for host in state.hosts):
            out.print(plain(f"Prove it again at any time: suture verify {rollout.id}", "dim"))
    elif state.status.value == "paused":
        out.print(plain("A person decides:", "bold yellow"))
        for suspect, version in _suspects(view):
            corrected = f"plan create --parent {view.plan.id} --hold-back {suspect}@{version}"
            say(out, corrected, "a plan without it")
        say(out, f"rollout abort {rollout.id}", "start nothing more")
        say(out, f"rollout resume {rollout.id}", "accept this and go on")
    elif _missing_approval(view):
        say(out, f"rollout approve {rollout.id}", "let its next wave start")
    else:
        say(out, f"rollout watch {rollout.id}", "go on with it")


def _print_correction(out: Console, view: RolloutView) -> None:
    """What was held back, for how many hosts, and how these get the rest."""
    from suture.core.rollout.holding import left_out

    state = view.rollout.state
    waiting = left_out(view.plan, state)
    if not waiting:
        return
    for held in state.held_back:
        text = f"{held.source} {held.version} is held back: {held.reason}"
        out.print(plain(text, "bold yellow", limit=1500))
    hosts = f"{len(waiting)} host{'' if len(waiting) == 1 else 's'}"
    if view.corrected:
        out.print(plain(f"{hosts} left out; plan {view.corrected} has the rest for them:"))
        say(out, f"rehearse {view.corrected}", "prove it on twins")
        say(out, f"rollout start {view.corrected}", "then roll it out")
    else:
        out.print(plain(f"{hosts} left out. When there is more to do for them:"))
        options = " ".join(f"--hold-back {one.source}@{one.version}" for one in state.held_back)
        say(out, f"plan create --parent {view.plan.id} {options}", "a plan without it")


def say(out: Console, command: str, what: str) -> None:
    out.print(plain(f"  suture {command}") + plain(f"   {what}", "dim"))


def _suspects(view: RolloutView) -> list[tuple[str, str]]:
    """Each suspected source package, at the versions that the plan brings."""
    named = {suspect for report in view.reports for suspect in report.suspects}
    changes = (change for host in view.plan.hosts for change in host.changes)
    return sorted({(c.source, c.source_version) for c in changes if c.source in named})


def _missing_approval(view: RolloutView) -> str:
    from suture.core.rollout.approvals import standing
    from suture.core.rollout.state import RolloutStatus
    from suture.core.rollout.tick import current_wave

    state = view.rollout.state
    if state.status is RolloutStatus.ABORTED:
        return ""
    wave = current_wave(view.plan, state)
    return standing(view.plan, state, datetime.now(UTC)).missing(wave) if wave else ""


def print_approvals(out: Console, view: RolloutView) -> None:
    """Who has agreed to what, and what the next wave still waits for."""
    waits = _missing_approval(view)
    print_given(out, view.plan, view.rollout.state.approvals, [waits] if waits else [])


def exit_code(view: RolloutView) -> int:
    """0 when every host is patched or was left alone, 1 when not, 4 when a person must act."""
    if not view.rollout.is_over:
        return 4
    fine = ("done", "skipped")
    return 0 if all(host.phase.value in fine for host in view.rollout.state.hosts) else 1


def print_caught_up(out: Console, found: CaughtUp) -> None:
    """What became of each host that was away."""
    if found.rollout:
        text = f"Rollout {found.rollout} of plan {found.plan}: {listed(found.ready)}"
        out.print(plain(text, "bold", limit=2000))
    for name, reason in found.away:
        out.print(plain(f"{name} is still away: ", "bold yellow") + plain(reason, limit=1500))
    for name, reason in found.changed:
        out.print(plain(f"{name} needs another plan: ", "bold yellow") + plain(reason, limit=1500))
        say(out, f"plan create --host {name}", "and rehearse it")


def print_proofs(out: Console, found: Verified) -> None:
    proofs = found.hosts
    made = table("Host", "Verdict", "CVEs closed", "|Still open", "|Why")
    fine = [proof for proof in proofs if proof.verdict.value == "pass"]
    others = [proof for proof in proofs if proof.verdict.value != "pass"]
    room = max(SHOWN_HOSTS - len(others), 0)
    for proof in (*others, *fine[:room]):
        unknown = proof.verdict.value == "inconclusive" and not proof.closed
        made.add_row(
            plain(proof.host),
            styled(proof.verdict),
            plain("unknown" if unknown else len(proof.closed)),
            plain("unknown" if unknown else listed(proof.open) or "none"),
            plain(proof.reason, limit=1500),
        )
    out.print(made)
    _print_more(out, len(fine) - room, "verify --json")
    not_asked: dict[str, list[str]] = {}
    for one in found.not_asked:
        said = f"Not patched by this rollout now, {one.phase.value}"
        if one.partly:
            said = f"Not asked, for {', '.join(one.partly)} went back there and the rest did not"
        not_asked.setdefault(said, []).append(one.host)
    for said, names in not_asked.items():
        out.print(plain(f"{said}: ", "bold yellow") + plain(listed(names), limit=2000))
