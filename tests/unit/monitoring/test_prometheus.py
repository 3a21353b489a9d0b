"""Prometheus, Alertmanager and node_exporter as a small server answers for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from suture.core.planning.gates import Alerts, Canary, Query, Source
from suture.monitoring import exporter, prometheus
from suture.monitoring.fetching import MonitoringError
from tests.unit.core.builders import host

HOSTS = (host("web1", address="192.0.2.1"), host("web2", address="2001:db8::1"))


class Site:
    """``answers`` is path → (status, body); ``asked`` are paths with their queries."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, dict[str, list[str]]]] = []
        self.address = ""

    def answer(self, path: str, body: Any, status: int = 200) -> None:
        self.answers[path] = status, json.dumps(body).encode()


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            found.asked.append((parts.path, parse_qs(parts.query)))
            status, body = found.answers.get(parts.path, (404, b"no"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()


def _vector(*series: tuple[dict[str, str], str]) -> dict[str, Any]:
    result = [{"metric": metric, "value": [1.5, value]} for metric, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def _canary(address: str) -> Canary:
    queries = (Query(name="errors", query="rate(errors[1m])"),)
    return Canary(Source.PROMETHEUS, 0.1, address=address, label="instance", queries=queries)


def test_values_find_their_hosts_by_name_or_address(site: Site) -> None:
    site.answer(
        "/api/v1/query",
        _vector(
            ({"instance": "web1:9100"}, "1.5"),
            ({"instance": "[2001:db8::1]:9100"}, "2"),
            ({"instance": "elsewhere:9100"}, "9"),
            ({"instance": "192.0.2.1"}, "NaN"),
        ),
    )
    found = prometheus.readings(_canary(site.address), HOSTS)
    assert [(one.host, one.gauges) for one in found] == [
        ("web1", {"errors": 1.5}),
        ("web2", {"errors": 2.0}),
    ]
    assert site.asked[0][1] == {"query": ["rate(errors[1m])"]}


def test_alerts_of_an_alertmanager_and_of_a_query(site: Site) -> None:
    site.answer("/api/v2/alerts", [{"labels": {"alertname": "HostDown"}}, {"labels": {}}])
    site.answer("/api/v1/query", _vector(({"alertname": "Slow"}, "1")))
    alerts = Alerts(site.address, ('severity="critical"', 'team="web"'))
    assert prometheus.firing(alerts) == ("HostDown", "an alert without a name")
    assert site.asked[0][1]["filter"] == ['severity="critical"', 'team="web"']
    assert site.asked[0][1]["silenced"] == ["false"]
    assert prometheus.firing(Alerts(site.address, query="ALERTS")) == ("Slow",)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"data": {"resultType": "matrix", "result": []}}, "answers a matrix"),
        ({"status": "error"}, "answers something else"),
        ([1], "answers something else"),
    ],
)
def test_another_answer_is_a_problem(site: Site, answer: Any, words: str) -> None:
    site.answer("/api/v1/query", answer)
    with pytest.raises(MonitoringError, match=words):
        prometheus.readings(_canary(site.address), HOSTS)


def test_nobody_there_or_an_error_is_a_problem(site: Site) -> None:
    with pytest.raises(MonitoringError, match="status 404"):
        prometheus.firing(Alerts(site.address))
    with pytest.raises(MonitoringError, match="does not answer"):
        prometheus.firing(Alerts("http://127.0.0.1:1"))


PAGE = """# HELP node_load1 1m load average.
# TYPE node_load1 gauge
node_load1 0.21
node_time_seconds 1.7e+09
node_boot_time_seconds 1.6999e+09
node_cpu_seconds_total{cpu="0",mode="idle"} 90000
node_cpu_seconds_total{cpu="0",mode="user"} 100.5
node_cpu_seconds_total{cpu="1",mode="system"} 20
node_memory_MemTotal_bytes 4.294967296e+09
node_memory_MemAvailable_bytes 2.147483648e+09
node_disk_io_time_seconds_total{device="sda"} 12.5
node_network_receive_errs_total{device="eth0"} 1
node_network_transmit_errs_total{device="eth0"} 2
node_network_transmit_errs_total{device="lo"} 50
node_filesystem_avail_bytes{mountpoint="/"} NaN
something else
"""


def test_a_node_exporters_page(site: Site) -> None:
    site.answers["/metrics"] = 200, PAGE.encode()
    port = int(site.address.rpartition(":")[2])
    found = exporter.reading("web1", "127.0.0.1", port)
    assert found.uptime_s == pytest.approx(100_000)
    assert found.counters == {"CPU": 120.5, "disk": 12.5, "network errors": 3.0}
    assert found.gauges == {"memory": 2048.0, "load": 0.21}


def test_a_page_of_another_exporter_is_none() -> None:
    assert exporter.parse("a", "process_cpu_seconds_total 5\n") is None
