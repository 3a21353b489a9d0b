"""Prometheus and Alertmanager: values of hosts, and alerts that fire."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from suture.core.documents import Document
from suture.core.inventory import Host
from suture.core.planning.gates import Alerts, Canary
from suture.core.rollout.gates import Reading
from suture.monitoring.fetching import MonitoringError, fetch_json

_MOST_ALERTS = 20


class _Series(Document, frozen=True):
    metric: Mapping[str, str]
    value: tuple[float, str]


class _Result(Document, frozen=True):
    resultType: str  # noqa: N815
    result: tuple[_Series, ...]


class _Answer(Document, frozen=True):
    data: _Result


class _Alert(Document, frozen=True):
    labels: Mapping[str, str]


def readings(canary: Canary, hosts: Iterable[Host]) -> tuple[Reading, ...]:
    """The value of each query for each host that has one; raises :class:`MonitoringError`."""
    hosts = tuple(hosts)
    known = {word: host.name for host in hosts for word in (host.address, host.name)}
    found: dict[str, dict[str, float]] = {host.name: {} for host in hosts}
    for query in canary.queries:
        for series in _query(canary.address, query.query):
            label = series.metric.get(canary.label, "")
            name = known.get(label) or known.get(label.rpartition(":")[0].strip("[]"))
            value = _number(series.value[1])
            if name and math.isfinite(value):
                found[name][query.name] = value
    return tuple(Reading(name, 0.0, {}, values) for name, values in found.items() if values)


def firing(alerts: Alerts) -> tuple[str, ...]:
    """The names of those that fire, each once; raises :class:`MonitoringError`."""
    if alerts.query:
        labels = [series.metric for series in _query(alerts.address, alerts.query)]
    else:
        wanted = {"active": "true", "silenced": "false", "inhibited": "false"}
        answer = fetch_json(
            f"{alerts.address}/api/v2/alerts",
            tuple[_Alert, ...],
            {**wanted, "filter": alerts.matchers},
        )
        labels = [alert.labels for alert in answer]
    names = {one.get("alertname") or "an alert without a name" for one in labels}
    return tuple(sorted(names))[:_MOST_ALERTS]


def _query(address: str, query: str) -> tuple[_Series, ...]:
    data = fetch_json(f"{address}/api/v1/query", _Answer, {"query": query}).data
    if data.resultType != "vector":
        raise MonitoringError(
            f"{query:.200} answers a {data.resultType:.20}; write a query that answers a vector"
        )
    return data.result


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
