"""How a rollout looks while it runs: each event as it happens, a table of the hosts below."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from suture.cli.output import brief, count, duration, plain, styled, table
from suture.cli.rollout_view import SHOWN_HOSTS, fetched_ahead, say

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.text import Text

    from suture.core.evidence import Event
    from suture.engine.ticks import Tick
    from suture.services.rollouts import RolloutView
    from suture.store.events import Earlier

Listeners = tuple[Callable[["Event"], None], Callable[["Tick"], None]]


@contextmanager
def live(
    view: RolloutView, *, quiet: bool = False, earlier: Earlier | None = None
) -> Iterator[Listeners]:
    """Yields what is called with each event and each tick. Events of ``earlier`` are summed up."""
    from rich.console import Group
    from rich.live import Live

    from suture.cli.output import console

    if quiet:
        yield lambda event: None, lambda tick: None
        return
    out = console()
    if earlier:
        _print_earlier(out, view, earlier)
    on_event = _Events(out, after=earlier.seq if earlier else 0)
    if not sys.stdout.isatty():
        yield on_event, _waiting(out)
        return
    latest: list[Tick] = []

    def hosts() -> Group:
        return Group(*_live_table(latest[-1], on_event.steps)) if latest else Group()

    with Live(get_renderable=hosts, console=out, transient=True, refresh_per_second=4):
        yield on_event, latest.append


def _print_earlier(out: Console, view: RolloutView, earlier: Earlier) -> None:
    """Who comes late wants to know how it stands, not to read a night's events first."""
    counts = Counter(host.phase for host in view.rollout.state.hosts)
    hosts = [styled(phase) + plain(f" {number:,}") for phase, number in counts.most_common()]
    since = earlier.since.astimezone().strftime("%a %Y-%m-%d %H:%M %Z")
    out.print(
        plain(f"Not shown: {count(earlier.number, 'earlier event')}, since {since}. Hosts: ")
        + plain(", ").join(hosts)
    )
    say(out, f"rollout watch {view.rollout.id} --all", "show all of them")


class _Events:
    """Prints each event behind the one with number ``after``, and each day once. ``steps`` is what
    a host is at."""

    def __init__(self, out: Console, after: int) -> None:
        self.steps: dict[str, str] = {}
        self._out = out
        self._after = after
        self._said: set[str] = set()
        self._day = ""

    def __call__(self, event: Event) -> None:
        if event.kind == "step.started":
            self.steps[event.host] = str(_data(event).get("step", ""))
        line = _event_line(event, self._said) if event.seq > self._after else None
        if line is None:
            return
        day = event.at.astimezone().strftime("%a %Y-%m-%d, times in %Z")
        if day != self._day:
            self._out.print(plain(day, "dim"))
            self._day = day
        self._out.print(line)


def _waiting(out: Console) -> Callable[[Tick], None]:
    """Where nothing moves on the screen, what is waited for is said once."""
    told: list[str] = []

    def on_tick(tick: Tick) -> None:
        for action in tick.waiting:
            if action.until is not None and told[-1:] != [action.reason]:
                out.print(plain(f"waiting: {action.reason}"))
                told.append(action.reason)

    return on_tick


def _data(event: Event) -> dict[str, Any]:
    import msgspec

    found = msgspec.json.decode(event.data)
    return found if isinstance(found, dict) else {}


def _event_line(event: Event, said: set[str]) -> Text | None:
    """None where there is nothing to see. ``said`` are reasons that stand above, and grows."""
    data = _data(event)
    reason = str(data.get("reason") or "")
    text_of_reason = plain(f"  {brief(reason, said)}" if reason else "", limit=1500)
    said.add(reason)
    at = plain(event.at.astimezone().strftime("%H:%M:%S "), "dim")
    host = plain(f"{event.host:<12} " if event.host else "", "bold")
    match event.kind.split("."):
        case ["step", "started"]:
            return None
        case ["step", "finished"]:
            text = plain(f"{data['step']:<17} ") + styled(data["verdict"])
            text += plain(f"  {duration(data['seconds'])}", "dim")
            return at + host + text + text_of_reason
        case ["host", phase]:
            return at + host + styled(phase) + text_of_reason
        case [subject, what]:
            return at + plain(f"{subject} {what}", "bold") + text_of_reason
    return None


def _live_table(tick: Tick, steps: dict[str, str]) -> Iterator[Any]:
    state = tick.rollout.state
    now = datetime.now(UTC)
    busy = [host for host in state.hosts if host.phase.is_at_work]
    done = sum(host.phase.is_final for host in state.hosts)
    made = table("Host", "Phase", "Step", "For")
    for host in busy[:SHOWN_HOSTS]:
        since = (now - host.since).total_seconds() if host.since else 0.0
        made.add_row(
            plain(host.host),
            styled(host.phase),
            plain(steps.get(host.host, "")),
            plain(duration(since)),
        )
    if busy:
        yield made
    ahead = f"packages ahead: {fetched} · " if (fetched := fetched_ahead(state)) else ""
    ends = f"{done} of {len(state.hosts)} hosts at their end · {ahead}"
    yield plain(ends, "dim") + styled(state.status)
    for action in tick.waiting[:3]:
        left = f" ({duration((action.until - now).total_seconds())} left)" if action.until else ""
        yield plain(f"waiting: {action.reason}{left}", "dim")
