"""What is watched while a ring soaks, as a person writes it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from suture.core.documents import Document
from suture.core.evidence import Better
from suture.core.planning.gates import Alerts, Canary, Gate, Query, Source
from suture.core.words import Duration, Name, Percent, Text, seconds

Address = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\x00-\x20\x7f@?#]{1,2000}\Z",
        description="an address that begins with http:// or https://, without a password",
    ),
]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port")]
NotNegative = Annotated[float, Meta(ge=0, description="a number of at least 0")]


class QueryPolicy(Document, frozen=True, kw_only=True):
    """A Prometheus query that answers one value for each host."""

    name: Name
    query: Text
    better: Better = Better.LOWER
    floor: NotNegative = 0.0


class AlertsPolicy(Document, frozen=True, kw_only=True):
    """An Alertmanager with matchers (``severity="critical"``), or Prometheus with a query."""

    alertmanager: Address | None = None
    matchers: tuple[Text, ...] = ()
    prometheus: Address | None = None
    query: Text | None = None

    def __post_init__(self) -> None:
        if (self.alertmanager is None) == (self.prometheus is None):
            raise ValueError("alerts need either alertmanager or prometheus")
        if (self.prometheus is None) != (self.query is None):
            raise ValueError("prometheus and query belong together")

    @property
    def alerts(self) -> Alerts:
        address = self.alertmanager or self.prometheus or ""
        return Alerts(address.rstrip("/"), self.matchers, self.query or "")


class GatePolicy(Document, frozen=True, kw_only=True):
    """Looked at ``every`` so often. ``canary`` says where the numbers come from."""

    every: Duration = "30s"
    canary: Source = Source.NONE
    min_effect: Percent = "25%"
    port: Port = 9100
    prometheus: Address | None = None
    label: Name = "instance"
    queries: tuple[QueryPolicy, ...] = ()
    alerts: AlertsPolicy | None = None

    def __post_init__(self) -> None:
        if not seconds(self.every):
            raise ValueError("every has to be at least 1s")
        if (self.canary is Source.PROMETHEUS) != bool(self.prometheus and self.queries):
            raise ValueError("canary: prometheus needs an address (prometheus) and queries")

    @property
    def gate(self) -> Gate | None:
        """None where nothing is watched."""
        alerts = self.alerts.alerts if self.alerts else None
        canary = None
        if self.canary is not Source.NONE:
            canary = Canary(
                source=self.canary,
                min_effect=int(self.min_effect.removesuffix("%")) / 100,
                port=self.port,
                address=(self.prometheus or "").rstrip("/"),
                label=self.label if self.prometheus else "",
                queries=tuple(
                    Query(name=one.name, query=one.query, better=one.better, floor=one.floor)
                    for one in self.queries
                ),
            )
        return Gate(seconds(self.every), canary, alerts) if canary or alerts else None
