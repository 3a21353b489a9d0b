"""How a plan looks: what will change where and when, the way back, and what is left out and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from suture.cli.output import count, duration, listed, plain, size, styled, table

if TYPE_CHECKING:
    from datetime import date, datetime

    from rich.console import Console
    from rich.text import Text

    from suture.core.data_backups import DataBackup
    from suture.core.planning.hooks import Hook
    from suture.core.planning.lint import Problem
    from suture.core.planning.plan import HostPlan, Plan, ServiceLimit, Slot, Wave
    from suture.core.selection.ledger import Ledger
    from suture.services.plans import Planned, Rehearsed

T = TypeVar("T")

_TAKEN = ("selected", "required")
_GROUPS = 8  # of hosts with the same changes, ledger or checks that are shown in full
_PROBLEMS = 40
_THEN = {
    "roll-back-wave": "; the wave is taken back",
    "roll-back-all": "; all are taken back",
}


def print_plan(
    out: Console, plan: Plan, rehearsed: Mapping[str, Rehearsed] = MappingProxyType({})
) -> None:
    """The plan, most important first; ``rehearsed`` is by class of hosts. What hosts have in
    common is said once, and of very many groups of hosts the largest are shown."""
    cves = {cve for host in plan.hosts for cve in host.closes}
    controls = {control.id for host in plan.hosts for control in host.controls}
    out.print(
        plain(f"Plan {plan.id}", "bold")
        + plain(
            f"  {plan.created_at:%Y-%m-%d %H:%M} UTC · {len(plan.hosts)} hosts · "
            f"{sum(len(host.changes) for host in plan.hosts)} packages · closes {len(cves)} CVEs"
            + (f" · {len(controls)} controls" if controls else "")
            + (f" · corrects plan {plan.parent}" if plan.parent else "")
        )
    )
    _print_waves(out, plan)
    _print_times(out, plan)
    groups = _by_patch_set(plan.hosts)
    for patch_set in groups[:_GROUPS]:
        _print_group(out, patch_set, rehearsed)
    _print_rest(out, plan, "set of changes", groups[_GROUPS:])
    ledgers = _by_ledger(plan.hosts)
    for alike in ledgers[:_GROUPS]:
        print_ledger(out, alike[0].ledger, listed([host.host for host in alike]))
    _print_rest(out, plan, "ledger", ledgers[_GROUPS:])
    _print_left_out(out, plan)


def print_planned(
    out: Console, found: Planned, rehearsed: Mapping[str, Rehearsed] = MappingProxyType({})
) -> None:
    """What a plan has for one of its hosts, or why it leaves the host out."""
    if found.host is None:
        text = f"Plan {found.plan} leaves {found.name} out: {found.left_out}"
        out.print(plain(text, "yellow", limit=1000))
        return
    out.print(plain(f"Plan {found.plan}, wave {found.wave} ({found.host.ring})", "bold"))
    _print_group(out, [found.host], rehearsed)
    print_ledger(out, found.host.ledger, found.name)


def _print_group(out: Console, hosts: list[HostPlan], rehearsed: Mapping[str, Rehearsed]) -> None:
    _print_changes(out, hosts)
    _print_rehearsed(out, [rehearsed.get(host.class_id) for host in hosts])
    _print_checks(out, hosts)


def _print_rest(out: Console, plan: Plan, what: str, groups: Sequence[list[HostPlan]]) -> None:
    if groups:
        hosts = count(sum(map(len, groups)), "host")
        text = f"And {len(groups):,} more, each a {what} of its own, on {hosts}: "
        out.print(plain(f"{text}suture plan show {plan.id} --host {groups[0][0].host}", "bold"))


def _print_waves(out: Console, plan: Plan) -> None:
    made = table("Wave", "Ring", "|Hosts", "At once", "About", "Then", "Pauses when", title="Order")
    for wave in plan.waves:
        action = plan.on_failure(wave).value
        tolerated = 0 if action == "pause" else wave.max_failures
        pauses = f"more than {tolerated} fail" if tolerated else "one fails"
        if wave.min_verified:
            pauses += f", or fewer than {wave.min_verified} % are verified"
        longest = max((plan.host(name).estimated_s for name in wave.hosts), default=0.0)
        rounds = -(-len(wave.hosts) // max(wave.parallel, 1))
        made.add_row(
            plain(wave.index + 1),
            plain(wave.ring + _asked(plan, wave)),
            plain(listed(wave.hosts), limit=2000),
            plain(f"1 each {duration(wave.wait_s)}" if wave.wait_s else wave.parallel),
            plain(duration(longest * rounds)),
            plain(f"soak {duration(wave.soak_s)}" if wave.soak_s else "no soak"),
            plain(pauses + _THEN.get(action, "")),
        )
    out.print(made)
    if plan.predownload_s:
        text = f"Hosts get their packages up to {duration(plan.predownload_s)} before their start."
        out.print(plain(text))
    _print_gates(out, plan)
    _print_hooks(out, plan)
    for limit in plan.services[:_GROUPS]:
        out.print(
            plain(
                f"Service {limit.service}: at most {limit.max_out} of {len(limit.members)} out "
                f"at once ({listed(limit.members)}){_kept_up(limit)}",
                limit=2000,
            )
        )
    _print_more(out, plan, len(plan.services) - _GROUPS, "services")


def _print_more(out: Console, plan: Plan, number: int, what: str) -> None:
    if number > 0:
        out.print(plain(f"And {number:,} more {what}: suture plan show {plan.id} --json", "dim"))


def _kept_up(limit: ServiceLimit) -> str:
    apart = ", ".join(group.label for group in limit.apart or ())
    quorum = f"; a quorum of {limit.quorum} stays in" if limit.quorum else ""
    return quorum + (f"; one of {apart} at a time" if apart else "")


def _asked(plan: Plan, wave: Wave) -> str:
    """Who has to agree before the wave starts."""
    from suture.core.rollout.approvals import rules

    asked = [f"{one.count} by {one.role or 'anybody'}" for one in rules(plan, wave)]
    if asked == ["1 by anybody"]:
        return " (after approval)"
    return f" (after approval: {', '.join(asked)})" if asked else ""


def _print_gates(out: Console, plan: Plan) -> None:
    for wave in plan.waves:
        if not wave.gate:
            continue
        canary, alerts = wave.gate.canary, wave.gate.alerts
        watched = []
        if canary:
            source = "/proc" if canary.source.value == "proc" else canary.source.value
            watched.append(
                f"{source} beside hosts not patched, {canary.min_effect:.0%} worse fails"
            )
        if alerts:
            what = alerts.query or ", ".join(alerts.matchers) or "any"
            watched.append(f"no alert ({what}) at {alerts.address}")
        looks = wave.gate.looks(wave.soak_s)
        text = f"Gate after {wave.ring}: {'; '.join(watched)}; "
        out.print(plain(text + f"{looks} looks, {duration(wave.gate.every_s)} apart", limit=2000))


def _print_hooks(out: Console, plan: Plan) -> None:
    hosts: dict[Hook, list[str]] = {}
    for host in plan.hosts:
        for hook in host.hooks:
            hosts.setdefault(hook, []).append(host.host)
    for hook, names in list(hosts.items())[:_GROUPS]:
        text = f"Hook {hook.when.value} on the {hook.run.value}, {listed(names, 6)}: "
        out.print(plain(text + hook.command, limit=2000))
    _print_more(out, plan, len(hosts) - _GROUPS, "hooks")


def _print_times(out: Console, plan: Plan) -> None:
    """Hosts with the same times are shown once."""
    if not plan.timetable:
        return
    alike: dict[tuple[object, ...], list[Slot]] = {}
    for slot in plan.timetable.hosts:
        key = (slot.windows, slot.freezes, slot.window, slot.opens_at, slot.closes_at)
        alike.setdefault((*key, slot.exploited, slot.late, slot.due), []).append(slot)
    made = table("Window", "|Hosts", "Next open", "Until", "Needs", "|Due", title="When (UTC)")
    groups = _most_first(alike.values())
    for slots in groups[:_GROUPS]:
        first, needs = slots[0], max(slot.needs_s for slot in slots)
        back = max(slot.reserve_s for slot in slots)
        made.add_row(
            plain(", ".join(first.windows) or "any time")
            + plain(" (emergency)" if first.exploited else "", "bold red"),
            plain(listed([slot.host for slot in slots]), limit=2000),
            plain(_moment(first.opens_at, plan.created_at)),
            plain(_moment(first.closes_at, None)),
            plain(f"{duration(needs)}, {duration(back)} of it for the way back"),
            _due(first, plan.created_at.date()),
        )
    out.print(made)
    _print_more(out, plan, len(groups) - _GROUPS, "groups of hosts with other times")
    for window in plan.timetable.windows:
        text = f"Window {window.name}: {window.rule} at {window.start} for {window.duration}"
        out.print(plain(f"{text}, {window.zone}"))
    for freeze in plan.timetable.freezes:
        days = [f"{freeze.begins} to {freeze.ends}"] if freeze.begins else []
        days += [str(day) for day in freeze.days]
        out.print(plain(f"Freeze {freeze.name}: {', '.join(days)}, {freeze.zone}"))


def _moment(at: datetime | None, now: datetime | None) -> str:
    if at is None:
        return "no end in sight"
    return "now" if now is not None and at <= now else f"{at:%a %Y-%m-%d %H:%M}"


def _due(slot: Slot, today: date) -> Text:
    if slot.due is None:
        return plain("")
    if slot.late:
        return plain(f"{slot.due}: no window closes {slot.late} in time", "bold red")
    if slot.due < today:
        return plain(f"{slot.due}: overdue", "bold red")
    return plain(slot.due)


def _by_patch_set(hosts: tuple[HostPlan, ...]) -> list[list[HostPlan]]:
    """Hosts that get the same packages and controls are shown once; most hosts first."""
    groups: dict[str, list[HostPlan]] = {}
    for host in hosts:
        controls = [control.id for control in host.controls]
        words = [host.patch_set, *host.restarts, *controls]
        words += [str(host.backup)] if host.backup else []
        groups.setdefault(",".join(words), []).append(host)
    return _most_first(groups.values())


def _by_ledger(hosts: tuple[HostPlan, ...]) -> list[list[HostPlan]]:
    groups: dict[Ledger, list[HostPlan]] = {}
    for host in hosts:
        groups.setdefault(host.ledger, []).append(host)
    return _most_first(groups.values())


def _most_first(groups: Iterable[list[T]]) -> list[list[T]]:
    return sorted(groups, key=len, reverse=True)


def _print_changes(out: Console, hosts: list[HostPlan]) -> None:
    first = hosts[0]
    names = listed([host.host for host in hosts])
    made = table("Package", "|From", "|To", "|CVEs closed", "Why")
    for change in first.changes:
        made.add_row(
            plain(change.key),
            plain(change.before or "(new)", "" if change.before else "yellow"),
            plain(change.after),
            plain(_shorten(change.cves)),
            plain(change.reason.value if change.before else "newly pulled in"),
        )
    out.print()
    out.print(plain(f"{names}", "bold", limit=2000))
    if first.changes:
        out.print(made)
    if first.controls:
        _print_controls(out, first)
    out.print(
        plain(
            f"  download {size(first.download_bytes)} · patch set {first.patch_set[:12]} · "
            f"restarts: {''.join(f'{unit}, ' for unit in first.restarts)}what else is found "
            "to run replaced code · "
            f"reboot: {first.reboot.value}{' (expected)' if first.reboot_expected else ''}",
            limit=2000,
        )
    )
    out.print(
        plain(
            "  way back: the old packages, configuration and service states are on the host "
            "before it is touched" + (", and what its controls change" if first.controls else "")
        )
    )
    if first.backup:
        _print_backup(out, first.backup)


def _print_backup(out: Console, backup: DataBackup) -> None:
    kept = [one.path for one in backup.directories]
    kept += [f"dump {one.name}" for one in backup.dumps]
    if backup.snapshots.value != "never":
        kept.append(f"snapshots of file systems ({backup.snapshots.value})")
    out.print(plain(f"  data kept beforehand: {', '.join(kept)}", limit=2000))


def _print_rehearsed(out: Console, found: Sequence[Rehearsed | None]) -> None:
    """Instead of what is expected, what there was to see on the twins."""
    known = [one for one in found if one is not None]
    if not known:
        return
    restarts = sorted({unit for one in known for unit in one.restarts})
    reboots = sorted({one.reboot for one in known if one.reboot})
    out.print(
        plain(
            f"  as rehearsed: restarted {', '.join(restarts) or 'nothing'} · "
            + (f"rebooted ({'; '.join(reboots)})" if reboots else "no reboot"),
            "green",
            limit=2000,
        )
    )


def _print_checks(out: Console, hosts: list[HostPlan]) -> None:
    """Once for hosts with the same checks, which differ where services listen on own addresses."""
    groups: dict[str, list[str]] = {}
    for host in hosts:
        checks = [check.name + (" (proposed)" if check.proposed else "") for check in host.checks]
        groups.setdefault(", ".join(checks) or "none", []).append(host.host)
    for said, names in list(groups.items())[:_GROUPS]:
        where = f" on {listed(names)}" if len(groups) > 1 else ""
        out.print(plain(f"  health checks{where}: {said}", limit=2000))
    if len(groups) > _GROUPS:
        text = f"  and health checks of their own on the others: --host {hosts[-1].host}"
        out.print(plain(text))


def _print_controls(out: Console, host: HostPlan) -> None:
    made = table("Control", "|Does", "|Stands in for", "|Why")
    for control in host.controls:
        made.add_row(
            plain(control.id),
            plain(control.summary),
            plain(_shorten(control.cves)),
            plain(control.reason, limit=1000),
        )
    out.print(made)


def _shorten(cves: tuple[str, ...]) -> str:
    return ", ".join(cves[:3]) + (f" and {len(cves) - 3} more" if len(cves) > 3 else "")


def print_ledger(out: Console, ledger: Ledger, host: str) -> None:
    """The sum in one line, and every update that is left out with its reason."""
    counts = sorted(ledger.counts().items(), key=lambda each: (each[0].value not in _TAKEN, each))
    total = " + ".join(f"{count} {reason.value}" for reason, count in counts)
    out.print(
        plain(f"{host}: ", "bold") + plain(f"{ledger.available} updates available = {total or 0}")
    )
    if not ledger.reconciles:
        out.print(plain("  The ledger does not add up; do not trust this plan.", "bold red"))
    left = [entry for entry in ledger.entries if entry.reason.value not in _TAKEN]
    if not left:
        return
    made = table("Left out", "|From", "|To", "|Reason")
    for entry in left:
        made.add_row(
            plain(f"{entry.package}:{entry.arch}"),
            plain(entry.installed),
            plain(entry.available),
            plain(entry.reason.value + (f": {entry.detail}" if entry.detail else "")),
        )
    out.print(made)


def _print_left_out(out: Console, plan: Plan) -> None:
    if plan.left_out:
        made = table("|Hosts left out", "|Why")
        reasons: dict[str, list[str]] = {}
        for host in plan.left_out:
            reasons.setdefault(host.reason, []).append(host.host)
        for reason, names in reasons.items():
            made.add_row(plain(listed(names), limit=2000), plain(reason, limit=1000))
        out.print(made)
    if plan.held_back:
        made = table("Held back", "Version", "|Why")
        for one in plan.held_back:
            made.add_row(plain(one.source), plain(one.version), plain(one.reason, limit=1000))
        out.print(made)


def print_problems(out: Console, problems: tuple[Problem, ...]) -> None:
    """Errors first; of very many the first, and how many more there are."""
    if not problems:
        out.print(plain("No problems found.", "green"))
        return
    made = table("", "|Where", "|Problem", "|Remedy")
    worst_first = sorted(problems, key=lambda one: one.severity.value != "error")
    for problem in worst_first[:_PROBLEMS]:
        made.add_row(
            styled(problem.severity),
            plain(problem.where),
            plain(problem.message),
            plain(problem.remedy),
        )
    out.print(made)
    if len(problems) > _PROBLEMS:
        text = f"And {len(problems) - _PROBLEMS:,} more: suture plan lint --json"
        out.print(plain(text, "dim"))
