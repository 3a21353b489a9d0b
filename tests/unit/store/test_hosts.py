"""Enrolled hosts come back as they were."""

from datetime import UTC, datetime

from msgspec.structs import replace

from suture.core.inventory import Criticality, HealthCheck, HealthCheckKind, Host
from suture.store import hosts
from suture.store.database import Store

NOW = datetime(2026, 11, 23, tzinfo=UTC)
WEB1 = Host(
    name="web1",
    address="192.0.2.7",
    port=2222,
    labels=("web", "prod"),
    criticality=Criticality.HIGH,
    checks=(HealthCheck(kind=HealthCheckKind.HTTP, target="http://192.0.2.7/", body="ok"),),
)


def test_save_get_change_remove(store: Store) -> None:
    with store.begin() as connection:
        assert hosts.save(connection, WEB1, NOW) == "added"
        assert hosts.save(connection, WEB1, NOW) == "unchanged"
        assert hosts.get(connection, "web1") == WEB1
        moved = replace(WEB1, address="192.0.2.8")
        assert hosts.save(connection, moved, NOW) == "changed"
        assert hosts.listing(connection) == (moved,)
        assert hosts.remove(connection, "web1")
        assert not hosts.remove(connection, "web1")
        assert hosts.get(connection, "web1") is None
