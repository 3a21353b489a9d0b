"""A year of patching 50,000 pretend hosts, planned and rolled out week by week."""

from __future__ import annotations

import resource
import time
from datetime import date
from random import Random

from bench.measure import Figure, Report
from suture.core.policy import parse
from suture.services import pretend_fleet
from suture.services.simulating import Simulation

RUNS = 1

_HOSTS, _WEEKS = 50_000, 52

_POLICY = """\
rings:
  - {name: canary, hosts: [canary], soak: 2h, parallel: 200, max_failures: 20}
  - {name: early, share: 25%, soak: 12h, parallel: 2000, max_failures: 300}
  - {name: broad, parallel: 5000, max_failures: 1000}
concurrency: {total: 5000}
windows:
  - name: nights
    hosts: [production]
    rule: FREQ=WEEKLY;BYDAY=MO,TU,WE,TH
    start: "22:00"
    duration: 4h
    zone: Europe/Berlin
freezes:
  - {name: year-end, begins: 2026-12-20, ends: 2027-01-03, zone: Europe/Berlin}
emergency: {enabled: true}
"""


def run(runs: int) -> Report:
    seconds, patched = [], []
    for seed in range(runs):
        draw = Random(seed)
        hosts = pretend_fleet.fleet(_HOSTS, draw)
        simulation = Simulation(hosts, parse(_POLICY, name="policy"), draw, date(2026, 11, 30))
        began = time.perf_counter()
        for _ in range(_WEEKS):
            simulation.week()
        seconds.append(time.perf_counter() - began)
        patched.append(float(sum(day.ended.get("done", 0) for day in simulation.days())))
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Report(
        title=f"simulate: {_HOSTS} hosts × {_WEEKS} weeks",
        figures=(
            Figure("seconds", "the whole of it", tuple(seconds), "s", "≤ 60"),
            Figure("patched", "patches in it", tuple(patched)),
            Figure("rss_mb", "peak memory", (rss_mb,), "MB"),
        ),
        caveats=(
            "The planner, lint and progress are those of the product; hosts, updates, durations "
            "and failures are drawn. Hosts of one kind share their inventory.",
        ),
    )
