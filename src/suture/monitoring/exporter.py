"""node_exporter's page of numbers, as far as the canary compares them."""

from __future__ import annotations

import math
import re

from suture.core.rollout.gates import Reading
from suture.monitoring.fetching import MonitoringError, fetch

_LINE = re.compile(r"(node_[A-Za-z0-9_]+)(?:\{([^}]*)\})? ([0-9.eE+-]+|NaN|[+-]Inf)(?: [0-9]+)?")
_BUSY = re.compile(r'mode="(user|nice|system|irq|softirq|steal)"')
_LOOPBACK = 'device="lo"'


def reading(host: str, address: str, port: int) -> Reading:
    """Ask the host's node_exporter; raises :class:`MonitoringError`."""
    where = f"[{address}]" if ":" in address else address
    url = f"http://{where}:{port}/metrics"
    found = parse(host, fetch(url).decode("utf-8", "replace"))
    if found is None:
        raise MonitoringError(f"{url} has no numbers of a node_exporter")
    return found


def parse(host: str, text: str) -> Reading | None:
    """None where what every node_exporter has is not there."""
    sums: dict[str, float] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if not match or not math.isfinite(value := float(match[3])):
            continue
        name, labels = match[1], match[2] or ""
        if name == "node_cpu_seconds_total" and not _BUSY.search(labels):
            continue
        if name.startswith("node_network_") and _LOOPBACK in labels:
            continue
        sums[name] = sums.get(name, 0.0) + value
    try:
        uptime = sums["node_time_seconds"] - sums["node_boot_time_seconds"]
        free, total = sums["node_memory_MemAvailable_bytes"], sums["node_memory_MemTotal_bytes"]
        cpu, load = sums["node_cpu_seconds_total"], sums["node_load1"]
    except KeyError:
        return None
    errors = sums.get("node_network_receive_errs_total", 0.0)
    errors += sums.get("node_network_transmit_errs_total", 0.0)
    disk = sums.get("node_disk_io_time_seconds_total", 0.0)
    return Reading(
        host=host,
        uptime_s=uptime,
        counters={"CPU": cpu, "disk": disk, "network errors": errors},
        gauges={"memory": (total - free) / 2**20, "load": load},
    )
