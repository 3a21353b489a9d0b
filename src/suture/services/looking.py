"""One look at a wave: numbers of its hosts and of those to compare them with, and alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from suture.core.inventory import Host
from suture.core.planning.gates import Canary, Source
from suture.core.planning.plan import Plan
from suture.core.rollout.gates import Look, Reading, sides
from suture.hosts import samples
from suture.hosts.transport import HostError
from suture.hosts.transport.connector import Connector
from suture.monitoring import exporter, prometheus
from suture.monitoring.fetching import MonitoringError
from suture.services.collecting import clock


async def look(
    ways: Connector, enrolled: Mapping[str, Host], plan: Plan, index: int, number: int
) -> Look:
    """A host that does not answer is left out, for the judge to miss; monitoring that does not
    answer is a problem of the whole look."""
    wave = next(one for one in plan.waves if one.index == index)
    at, gate = clock(), wave.gate
    readings: tuple[Reading, ...] = ()
    alerts: tuple[str, ...] = ()
    if not gate:
        return Look(index, number, at)
    try:
        if gate.canary:
            names = [host for side in sides(plan, wave) for host in side]
            hosts = [enrolled[name] for name in names if name in enrolled]
            readings = await _readings(ways, gate.canary, hosts)
        if gate.alerts and number >= gate.looks_before:
            alerts = await asyncio.to_thread(prometheus.firing, gate.alerts)
    except MonitoringError as error:
        return Look(index, number, at, readings, problem=str(error))
    return Look(index, number, at, readings, alerts)


async def _readings(ways: Connector, canary: Canary, hosts: Sequence[Host]) -> tuple[Reading, ...]:
    if canary.source is Source.PROMETHEUS:
        return await asyncio.to_thread(prometheus.readings, canary, hosts)
    of = _over_ssh if canary.source is Source.PROC else _from_exporter
    found = await asyncio.gather(*(of(ways, canary, host) for host in hosts))
    return tuple(one for one in found if one is not None)


async def _over_ssh(ways: Connector, canary: Canary, host: Host) -> Reading | None:
    try:
        async with ways.connect(host) as transport:
            return await samples.read(transport)
    except HostError:
        return None


async def _from_exporter(ways: Connector, canary: Canary, host: Host) -> Reading | None:
    try:
        return await asyncio.to_thread(exporter.reading, host.name, host.address, canary.port)
    except MonitoringError:
        return None
