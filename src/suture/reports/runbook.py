"""A plan as a runbook: Markdown for a person who does it by hand, with boxes to tick."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from suture.core.planning.plan import HostPlan, Plan, RebootRule, Wave
from suture.core.rollout.approvals import rules
from suture.reports.by_hand import Commands, batches, beyond, commands

_SPECIAL = re.compile(r"([\\`*_{}\[\]()#+!|<>~-])")


def runbook(plan: Plan) -> str:
    """The whole plan, wave by wave. Raises :class:`suture.reports.by_hand.NoRoomError`."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    yield f"# Plan {plan.id}"
    yield ""
    yield (
        f"Made {plan.created_at:%Y-%m-%d %H:%M} UTC for {len(plan.hosts)} hosts. All commands are "
        "for root, in bash. Stop where one fails, walk that host's way back, and do not go on."
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
    yield from _steps(made, host.reboot)
    yield from ("", "Way back, where anything fails:", *_block(made.way_back))


def _steps(made: Commands, reboot: RebootRule) -> Iterator[str]:
    yield from ("", "- [ ] Before: versions and health checks", *_block(made.before))
    yield from ("", "- [ ] The way back is on disk", *_block(made.bundle))
    yield from ("", "- [ ] The very bytes of the plan", *_block(made.download))
    yield from ("", "- [ ] Install", *_block(made.install))
    if made.restart:
        yield from ("", "- [ ] Restart", *_block(made.restart))
    if reboot is RebootRule.ALWAYS:
        yield from ("", "- [ ] Reboot", *_block(["systemctl reboot"]))
    elif reboot is RebootRule.IF_NEEDED:
        asked = "[ ! -e /run/reboot-required ] || systemctl reboot"
        yield from ("", "- [ ] Reboot where it is asked for", *_block([asked]))
    yield from ("", "- [ ] After: versions and health checks", *_block(made.after))


def _block(lines: Sequence[str]) -> list[str]:
    """Indented code: nothing in it is Markdown, whatever it holds."""
    return ["", *(f"      {line}" for line in lines)]


def _text(text: str) -> str:
    """Without meaning in Markdown or HTML, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
