"""How long a host takes there and back, from earlier runs or else from what is to be installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import field

from suture.core.documents import Document
from suture.core.evidence import Step, StepReport
from suture.core.planning.plan import HostPlan

# From so few runs a P95 says nothing.
LEAST_RUNS = 5

# Without earlier runs: the time for packages and controls, twice, and a minute for the other steps.
CAUTION = 2.0
STEPS_S = 60.0
REBOOT_S = 300.0

_WAY_BACK = (
    Step.DRAIN_ROLL_BACK,
    Step.ROLL_BACK,
    Step.VERIFY_ROLL_BACK,
    Step.UNDRAIN_ROLL_BACK,
)
_REBOOTS = (Step.REBOOT, Step.REBOOT_ROLL_BACK)


class Durations(Document, frozen=True):
    """The 95th percentile of earlier runs, in seconds, None where there were too few: the way
    there without its reboot (``hosts`` by host, ``there_s`` of all), a reboot, the way back without
    its own. A host that reboots there is expected to do so on its way back."""

    hosts: Mapping[str, float] = field(default_factory=dict)
    there_s: float | None = None
    reboot_s: float | None = None
    back_s: float | None = None

    def of(self, host: HostPlan) -> tuple[float, float]:
        """Seconds that the host will take, and seconds to keep in reserve for its way back."""
        known = self.hosts.get(host.host, self.there_s)
        if known is None:
            there = CAUTION * host.estimated_s + STEPS_S
        else:
            there = max(known, host.estimated_s)
        back = there if self.back_s is None else self.back_s
        reboot = 0.0
        if host.reboot_expected:
            reboot = REBOOT_S if self.reboot_s is None else self.reboot_s
        return there + reboot, back + reboot


def learn(runs: Iterable[Sequence[StepReport]]) -> Durations:
    """From the reports of each run of a host; what did not come to its end teaches nothing."""
    there: dict[str, list[float]] = {}
    reboots: list[float] = []
    back: list[float] = []
    for reports in runs:
        took = {report.step: report.seconds for report in reports}
        if Step.VERIFY in took:
            seconds = sum(s for step, s in took.items() if step not in (*_WAY_BACK, *_REBOOTS))
            there.setdefault(reports[0].host, []).append(seconds)
        if Step.VERIFY_ROLL_BACK in took:
            back.append(sum(took.get(step, 0.0) for step in _WAY_BACK))
        reboots += [r.seconds for r in reports if r.step in _REBOOTS and r.changed_host]
    by_host = {host: _p95(seconds) for host, seconds in there.items()}
    return Durations(
        hosts={host: p95 for host, p95 in by_host.items() if p95 is not None},
        there_s=_p95([seconds for one in there.values() for seconds in one]),
        reboot_s=_p95(reboots),
        back_s=_p95(back),
    )


def _p95(seconds: Sequence[float]) -> float | None:
    """By nearest rank."""
    if len(seconds) < LEAST_RUNS:
        return None
    return sorted(seconds)[-(-len(seconds) * 95 // 100) - 1]
