"""How much room is left in a rollout: hosts at work, out of their service, behind a jump host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.planning.plan import Plan
from suture.core.rollout.state import ActionKind, NextAction

MINUTE = timedelta(minutes=1)


class Elsewhere(Document, frozen=True):
    """What other rollouts are at work on, as (host, its jump host or empty), and how many hosts may
    be at work in the whole fleet. ``started`` is when hosts were started of late, in any rollout.
    To ``fetching`` hosts packages are brought: they take a place in the fleet and behind their jump
    host, and none in their services."""

    at_work: tuple[tuple[str, str], ...] = ()
    most: int | None = None
    started: tuple[datetime, ...] = ()
    fetching: tuple[tuple[str, str], ...] = ()

    @property
    def is_busy(self) -> bool:
        """Whether places will become free by themselves."""
        return bool(self.at_work or self.fetching)

    @property
    def left(self) -> int | None:
        """How many hosts this rollout may be at work on, None where nothing limits it."""
        if self.most is None:
            return None
        return max(0, self.most - len(self.at_work) - len(self.fetching))

    def after(self, actions: Sequence[NextAction], now: datetime) -> Elsewhere:
        """With what these have started by now."""
        count = sum(action.kind is ActionKind.START_HOST for action in actions)
        return replace(self, started=(*recent(self.started, now), *[now] * count))


def recent(started: Sequence[datetime], now: datetime) -> list[datetime]:
    """Those of the last minute, oldest first. Clocks that differ by less than that do no harm; what
    lies farther ahead is of a clock that was wrong, and would be waited for too long."""
    return sorted(at for at in started if now - MINUTE < at < now + MINUTE)


class Pace:
    """How many hosts may still be started by ``now``, of so many in any minute in the fleet."""

    def __init__(self, plan: Plan, started: Sequence[datetime], now: datetime) -> None:
        self._most = max(1, plan.starts_per_minute) if plan.starts_per_minute else None
        self._started = recent(started, now) if self._most else []
        self._now = now

    def start(self) -> None:
        if self._most:
            self._started.append(self._now)

    @property
    def opens(self) -> datetime | None:
        """When the next host may be started, None where one may be now."""
        if not self._most or len(self._started) < self._most:
            return None
        return sorted(self._started)[-self._most] + MINUTE

    def refusal(self) -> str:
        """Why no host may be started now, empty where one may."""
        if (opens := self.opens) is None:
            return ""
        return (
            f"{len(self._started)} hosts were started within a minute, {self._most} may be; "
            f"the next at {opens:%Y-%m-%d %H:%M:%S} UTC"
        )


class Room:
    """Counts the places taken while one tick decides; made anew for each.

    A host that is *at work* takes a place among the ``parallel`` ones, one behind its jump host,
    and one in each of its services. A host that is only *out* (not well, or of unknown state)
    takes the place in its services alone. One of ``fetching``, to which packages are brought, takes
    a place in the fleet and one behind its jump host.
    """

    def __init__(
        self,
        plan: Plan,
        parallel: int,
        elsewhere: Elsewhere | None = None,
        pace: Pace | None = None,
        fetching: Sequence[str] = (),
    ) -> None:
        elsewhere = elsewhere or Elsewhere()
        self._pace = pace
        self._left = elsewhere.left
        self._most = elsewhere.most
        self._parallel = parallel
        self._working = 0
        self._jump_of = plan.jump_of
        self._jump_limits = dict(plan.jump_limits)
        self._behind: Counter[str] = Counter()
        self._services_of = plan.limits_of
        self._out: dict[str, list[str]] = {}
        for host in plan.unknown:
            self.take(host, at_work=False)
        for host, jump in elsewhere.at_work:
            self.take(host, at_work=False)
            self._behind[jump] += 1
        self._fetching = len(elsewhere.fetching)
        self._fetching_behind = Counter(jump for _, jump in elsewhere.fetching)
        self._behind.update(self._fetching_behind)
        for host in fetching:
            self.fetch(host)

    def fetch(self, host: str) -> None:
        jump = self._jump_of.get(host, "")
        self._fetching += 1
        self._fetching_behind[jump] += 1
        self._behind[jump] += 1
        if self._left is not None:
            self._left = max(0, self._left - 1)

    def take(self, host: str, *, at_work: bool) -> None:
        for limit in self._services_of.get(host, ()):
            self._out.setdefault(limit.service, []).append(host)
        if at_work:
            self._working += 1
            self._behind[self._jump_of.get(host, "")] += 1

    def start(self, host: str) -> None:
        """A host that serves goes to work for the first time."""
        self.take(host, at_work=True)
        if self._pace:
            self._pace.start()

    def go_to_work(self, host: str) -> None:
        """A host that is out already is worked on: its service knows it as out."""
        self._working += 1
        self._behind[self._jump_of.get(host, "")] += 1

    def full(self) -> str:
        """Why no host at all may be started now, empty where some may."""
        parallel = self._parallel if self._left is None else min(self._parallel, self._left)
        if self._working < parallel:
            return self._pace.refusal() if self._pace else ""
        return f"{self._working} of {parallel} at work"

    def refusal(self, host: str) -> str:
        """Why ``host`` may not be started now, empty where it may."""
        return self.full() or self._service_refusal(host) or self.jump_refusal(host)

    def fetch_refusal(self, host: str, parallel: int) -> str:
        """Why nothing may be brought to ``host`` now, as one of ``parallel``, empty where it may.

        Of the fleet's places and of those behind its jump host, half at the most are for this, so
        that the others stay free for starts and for ways back.
        """
        if self._left is not None and self._working >= self._left:
            return "no place is left in the fleet"
        most = parallel if self._most is None else min(parallel, max(1, self._most // 2))
        if self._fetching >= most:
            return f"{self._fetching} of {most} are fetching"
        jump = self._jump_of.get(host, "")
        behind = self._fetching_behind[jump]
        if jump in self._jump_limits and behind >= max(1, self._jump_limits[jump] // 2):
            return f"jump host {jump}: {behind} are fetching"
        return self.jump_refusal(host)

    def way_back_refusal(self, host: str, parallel: int, *, is_out: bool) -> str:
        """Why ``host`` may not go back now as one of ``parallel``, empty where it may. One that
        is out already takes no other place in its services."""
        if self._working >= max(1, parallel):
            return f"{self._working} of {parallel} at work"
        return ("" if is_out else self._service_refusal(host)) or self.jump_refusal(host)

    def _service_refusal(self, host: str) -> str:
        for limit in self._services_of.get(host, ()):
            out = self._out.get(limit.service, ())
            if len(out) >= limit.max_out:
                return f"service {limit.service}: {_names(out)} out, {limit.max_out} may be"
            if label := limit.label_of.get(host):
                others = [one for one in out if limit.label_of.get(one, label) != label]
                if others:
                    apart = f"{_names(others)} of {limit.label_of[others[0]]} out"
                    return f"service {limit.service}: {apart}, not of {label} too"
        return ""

    def jump_refusal(self, host: str) -> str:
        """Why the jump host has no connection left for ``host``, empty where it has.

        A limit below one is taken as one: a way back must always be possible.
        """
        jump = self._jump_of.get(host)
        if jump is None or jump not in self._jump_limits:
            return ""
        limit = max(1, self._jump_limits[jump])
        return f"jump host {jump}: {limit} at work" if self._behind[jump] >= limit else ""


def _names(hosts: Sequence[str]) -> str:
    shown = ", ".join(hosts[:3])
    return shown + (f" and {len(hosts) - 3} more" if len(hosts) > 3 else "")
