"""Observations come back as they were, and a fleet comes back as columns."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.assessment.fleet import Fleet
from suture.core.inventory import Inventory, OperatingSystem, Origin, Package, PackageState
from suture.store import fleet_columns, inventories, observations, package_sets
from suture.store.database import Store
from tests.unit.core.builders import NOW, fleet_of, inventory, package

RPM = package("nodejs", "1:18.1-1", arch="x86_64", module="nodejs:18")
GONE = package("apache2", state=PackageState.RESIDUAL)


def seen(name: str, *packages: Package, **fields: object) -> Inventory:
    return inventory(name, sorted(packages), **fields)


def record(store: Store, *some: Inventory) -> None:
    with store.begin() as connection:
        for one in some:
            inventories.record(connection, one)


def counted(fleet: Fleet) -> dict[str, tuple[str, set[Package]]]:
    return {
        host: (release, {fleet.packages[one] for one in fleet.ids[start:end]})
        for host, release, start, end in zip(
            fleet.hosts, fleet.releases, fleet.starts, fleet.starts[1:], strict=False
        )
    }


def test_the_newest_observation_comes_back_as_it_was(store: Store) -> None:
    web = seen("web", package("nginx", "2"), package("bash"), RPM, GONE)
    clone = seen("clone", *web.packages.packages)
    record(store, seen("web", package("nginx", "1")), replace(web, collected_at=NOW), clone)
    with store.query() as query:
        assert observations.latest(query) == {"web": web, "clone": clone}
        assert observations.latest(query, ("web", "unknown")) == {"web": web}
        assert observations.last_seen(query) == {"web": NOW, "clone": NOW}
        assert observations.systems(query) == dict.fromkeys(
            ("web", "clone"), (web.os.release, web.arch, web.packages.digest)
        )


def test_the_same_packages_extend_the_row_and_what_is_late_is_passed_over(store: Store) -> None:
    first = seen("web", package())
    again = replace(first, collected_at=NOW + timedelta(hours=2), reboot_required=True)
    late = replace(first, collected_at=NOW + timedelta(hours=1))
    record(store, first, again, late)
    with store.query() as query:
        assert observations.latest(query) == {"web": again}
        assert observations.at(query, NOW) == {"web": again}


def test_any_past_time_can_be_asked(store: Store) -> None:
    days = [
        replace(seen("web", package("nginx", str(day))), collected_at=NOW + timedelta(days=day))
        for day in (1, 2, 3)
    ]
    record(store, *days)
    with store.query() as query:
        for hours, expected in ((23, None), (24, "1"), (47, "1"), (48, "2"), (999, "3")):
            when = NOW + timedelta(hours=hours)
            known = observations.at(query, when)
            versions = [one.packages.packages[0].version for one in known.values()]
            assert versions == ([expected] if expected else [])
            found = counted(fleet_columns.fleet(query, when))
            assert len(found) == len(versions)


def test_a_fleet_in_columns_has_what_counts(store: Store) -> None:
    alma = OperatingSystem("almalinux", "9")
    some = [
        seen("a", package("nginx"), package("chrome"), GONE, third_party=("chrome:amd64",)),
        seen("b", package("nginx"), package("bash")),
        seen("c", RPM, os=alma),
    ]
    record(store, seen("b", package("old")), *some)
    with store.query() as query:
        fleet = fleet_columns.fleet(query)
        assert counted(fleet) == counted(fleet_of(some))
        assert counted(fleet)["a"] == ("debian:12", {package("nginx")})


def test_an_empty_store_has_no_fleet(store: Store) -> None:
    with store.query() as query:
        assert observations.latest(query) == {}
        assert counted(fleet_columns.fleet(query)) == {}


def test_a_package_is_stored_once(store: Store) -> None:
    with store.begin() as connection:
        first = inventories.intern(connection, [package("a"), package("b"), package("a")])
        again = inventories.intern(connection, [package("b"), package("a", "9"), package("a")])
    assert first[0] == first[2] == again[2]
    assert first[1] == again[0]
    assert again[1] not in first


@given(st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=20), max_size=5))
def test_packed_numbers_come_back(some: list[list[int]]) -> None:
    packed = [package_sets.pack(one) for one in some]
    assert [package_sets.unpack(one) for one in packed] == some
    starts, numbers = fleet_columns.unpack(packed)
    assert [numbers[start:end].tolist() for start, end in pairwise(starts)] == some


def test_since_when_hosts_have_had_their_sources(store: Store) -> None:
    libs = package("libssl3", source="openssl")
    gone = package("nginx", state=PackageState.RESIDUAL)
    days = [
        (0, seen("web", package("nginx", "1"), package("bash"))),
        (1, seen("web", gone, libs, package("bash"))),
        (2, seen("web", package("nginx", "2"), libs, package("bash", "6"))),
        (2, seen("db", libs)),
    ]
    for day, one in days:
        record(store, replace(one, collected_at=NOW + timedelta(days=day)))
    hosts = ["web", "db", "other"]
    with store.query() as query:
        now = fleet_columns.presence(query, hosts)
        then = fleet_columns.presence(query, hosts, NOW + timedelta(days=1))
    first = NOW.date()
    cases: list[tuple[str, str, int | None, int | None]] = [
        ("web", "bash", 0, 0),
        ("web", "openssl", 1, 1),
        ("web", "nginx", 2, None),
        ("db", "openssl", 2, None),
        ("db", "bash", None, None),
        ("other", "bash", None, None),
    ]
    for host, source, *expected in cases:
        for found, after in zip((now, then), expected, strict=True):
            since = None if after is None else first + timedelta(days=after)
            assert found.open_since([(host, source, None)]) == [since]


def test_an_empty_store_tells_of_nobody_since_when(store: Store) -> None:
    with store.query() as query:
        assert fleet_columns.presence(query, ["web"]).open_since([("web", "bash", None)]) == [None]
        assert fleet_columns.presence(query, []).open_since([("web", "bash", None)]) == [None]


def test_a_fleet_knows_which_hosts_stay_on_a_minor_release(store: Store) -> None:
    eus, rhel = Origin(archive="rhel-9-for-x86_64-baseos-eus-rpms"), OperatingSystem("rhel", "9.2")
    record(store, seen("a"), seen("b", os=rhel, archives=(eus,)), seen("c", os=rhel))
    with store.query() as query:
        assert list(fleet_columns.fleet(query).streams) == ["", "9.2", ""]
