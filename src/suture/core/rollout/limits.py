"""How much room is left in a rollout: hosts at work, out of their service, behind a jump host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from suture.core.documents import Document
from suture.core.planning.plan import Plan


class Elsewhere(Document, frozen=True):
    """What other rollouts are at work on, as (host, its jump host or empty), and how many hosts may
    be at work in the whole fleet."""

    at_work: tuple[tuple[str, str], ...] = ()
    most: int | None = None

    @property
    def left(self) -> int | None:
        """How many hosts this rollout may be at work on, None where nothing limits it."""
        return None if self.most is None else max(0, self.most - len(self.at_work))


class Room:
    """Counts the places taken while one tick decides; made anew for each.

    A host that is *at work* takes a place among the ``parallel`` ones, one behind its jump host,
    and one in each of its services. A host that is only *out* (not well, or of unknown state)
    takes the place in its services alone.
    """

    def __init__(self, plan: Plan, parallel: int, elsewhere: Elsewhere | None = None) -> None:
        elsewhere = elsewhere or Elsewhere()
        self._parallel = parallel if elsewhere.left is None else min(parallel, elsewhere.left)
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

    def take(self, host: str, *, at_work: bool) -> None:
        for limit in self._services_of.get(host, ()):
            self._out.setdefault(limit.service, []).append(host)
        if at_work:
            self._working += 1
            self._behind[self._jump_of.get(host, "")] += 1

    def go_to_work(self, host: str) -> None:
        """A host that is out already is worked on: its service knows it as out."""
        self._working += 1
        self._behind[self._jump_of.get(host, "")] += 1

    def full(self) -> str:
        """Why no host at all may be started now, empty where some may."""
        if self._working < self._parallel:
            return ""
        return f"{self._working} of {self._parallel} at work"

    def refusal(self, host: str) -> str:
        """Why ``host`` may not be started now, empty where it may."""
        return self.full() or self._service_refusal(host) or self.jump_refusal(host)

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
