"""A plan as a runbook: Markdown for a person who does it by hand, with boxes to tick."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from suture.core.planning.plan import HostPlan, Plan, RebootRule, Wave
from suture.core.rollout.approvals import rules
from suture.reports.by_hand import (
    ASKS_REBOOT,
    ROOT,
    Commands,
    batches,
    beyond,
    commands,
    reboot,
    same_boot,
)

_REBOOT_IF_ASKED = f"if {ASKS_REBOOT}; then systemctl reboot; fi"
_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~-])")


def runbook(plan: Plan) -> str:
    """The whole plan, wave by wave. Raises :class:`suture.reports.by_hand.NoRoomError`."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"# Plan {plan.id}"
    yield ""
    yield (
        f"Made {plan.created_at:%Y-%m-%d %H:%M} UTC for {len(plan.hosts)} hosts. All commands are "
        "for root, in bash. Paste block by block: each shows its commands and says FINE or FAILED. "
        "Stop where one failed, walk that host's way back, and do not go on."
    )
    for number, wave in enumerate(plan.waves):
        yield from ("", f"## Wave {number + 1}: {_text(wave.ring)}", "")
        yield from _before(plan, wave)
        for group, names in enumerate(batches(plan, wave.hosts, wave.parallel)):
            yield from ("", f"### Group {group + 1}: {_text(', '.join(names))}", "")
            yield "These may be worked on at the same time; all of them end before the next group."
            for name in names:
                yield from _host(plan, plan.host(name))
        if wave.soak_s:
            yield from ("", f"- [ ] Watch the wave for {wave.soak_s / 60:.0f} minutes.")
    yield from ("", "## Afterwards", "")
    yield f"- [ ] `suture verify --plan {plan.id}` finds every host as the plan says."
    yield f"- [ ] No way back is needed any more: `rm -r {ROOT}/{plan.id}` on each host."
    if plan.left_out:
        yield from ("", "Left out:", "")
        for entry in plan.left_out:
            yield f"- {_text(entry.host)}: {_text(entry.reason)}"


def _before(plan: Plan, wave: Wave) -> Iterator[str]:
    for rule in rules(plan, wave):
        yield f"- [ ] {rule.count} approval(s) by {_text(rule.role or 'anybody')}"
    tolerated = wave.max_failures if plan.rollback_on_failure else 0
    yield f"- [ ] Stop when more than {tolerated} of {len(wave.hosts)} hosts fail."


def _host(plan: Plan, host: HostPlan) -> Iterator[str]:
    made = commands(plan, host)
    slot = plan.slot(host.host)
    yield from ("", f"#### {_text(host.host)}", "")
    if slot and slot.windows:
        yield f"Only in its windows: {_text(', '.join(slot.windows))}."
    for more in beyond(host):
        yield f"- [ ] At its place: {_text(more)}, which is not written out here."
    yield from _steps(made, reboot(host))
    yield from ("", "Way back, where anything failed from Install on:", *_block(made.way_back))
    again = _REBOOT_IF_ASKED
    title = "Reboot where that asks for it:"
    if reboot(host) is not RebootRule.NEVER:
        title = "Reboot where it was rebooted since or that asks for it:"
        again = f"if ! {same_boot(plan)} || {ASKS_REBOOT}; then systemctl reboot; fi"
    yield from ("", title, *_block([again]))
    yield from ("", "It is as before:", *_block([*made.same_kernel, *made.unpatched, *made.health]))


def _steps(made: Commands, rule: RebootRule) -> Iterator[str]:
    yield from _step("Before: versions and health checks", [*made.unpatched, *made.health])
    yield from _step("The way back is on disk", made.bundle)
    yield from _step("The very bytes of the plan", made.download)
    yield from _step("Install", made.install)
    yield from _step("Restart", made.restart)
    if rule is RebootRule.ALWAYS:
        yield from _step("Reboot, and log in again", ["systemctl reboot"])
    elif rule is RebootRule.IF_NEEDED:
        yield from _step("Reboot where it is asked for, and log in again", [_REBOOT_IF_ASKED])
    after = "After: versions and health checks; services may need a minute before they are well"
    yield from _step(after, [*made.patched, *made.health])


def _step(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield from ("", f"- [ ] {title}", *_block(lines))


def _block(lines: Sequence[str]) -> list[str]:
    """Indented code: nothing in it is Markdown, whatever it holds. A terminal takes it as one
    command, which stops at the first line that fails, the last that was shown."""
    whole = ["(set -ex", *lines, "); [ $? = 0 ] && echo FINE || echo FAILED"]
    return ["", *(f"      {line}" for text in whole for line in text.splitlines())]


def _text(text: str) -> str:
    """Without meaning in Markdown or HTML, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
