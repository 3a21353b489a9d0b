"""A scanner's host is found where it is clear, and told where it is not."""

from __future__ import annotations

import pytest

from suture.core.inventory import Identity
from suture.core.scanners.placing import Directory, Placement
from suture.core.scanners.scanner import ScannerHost
from tests.unit.core.builders import host

FLEET = (
    host("web1", address="192.0.2.11", labels=("web", "agent-0001")),
    host("web2.example.org", address="192.0.2.12"),
    host("db1", address="db1.example.org"),
    host("cache-a", address="192.0.2.20", port=2201),
    host("cache-b", address="192.0.2.20", port=2202),
)
SAID = {
    "db1": Identity(
        ("db1.internal.example.org",), ("198.51.100.7",), ("0a1b2c3d-0000-4000-8000-00000000002a",)
    )
}
DIRECTORY = Directory(FLEET, SAID, learned={"agent-0002": "db1", "agent-0003": "gone"})


def place(*addresses: str, names: tuple[str, ...] = (), ids: tuple[str, ...] = ()) -> Placement:
    return DIRECTORY.place(ScannerHost(addresses, names, ids))


def test_by_address_or_name_or_both() -> None:
    assert place("192.0.2.11") == Placement("web1", "by address")
    assert place(names=("db1.example.org",)) == Placement("db1", "by name")
    assert place("192.0.2.12", names=("web2.example.org",)).how == "by address and name"


def test_an_agents_id_is_known_by_label_or_from_an_earlier_report() -> None:
    assert place(ids=("agent-0001",)) == Placement("web1", "by agent id")
    assert place(ids=("agent-0002",)) == Placement("db1", "by agent id")


def test_by_what_the_host_says_of_itself() -> None:
    assert place("198.51.100.7") == Placement("db1", "by address")
    assert place(names=("db1.internal.example.org",)) == Placement("db1", "by name")
    assert place(ids=("0A1B2C3D000040008000" + "00000000002A",)).how == "by agent id"


def test_an_agents_id_goes_before_an_address_that_was_given_to_another() -> None:
    assert place("192.0.2.12", ids=("agent-0001",)).host == "web1"


def test_what_was_learned_of_a_host_that_is_gone_is_forgotten() -> None:
    assert place(ids=("agent-0003",)).host == ""


def test_a_short_name_is_the_long_one_but_not_another_domains() -> None:
    assert place(names=("web1.example.org",)).host == "web1"
    assert place(names=("web2",)).host == "web2.example.org"
    assert place(names=("web2.example.com",)).host == ""


def test_a_shared_address_is_decided_by_name() -> None:
    assert place("192.0.2.20", names=("cache-b",)).host == "cache-b"


def test_what_fits_several_is_told() -> None:
    found = place("192.0.2.20")
    assert found == Placement("", "several hosts have this address", ("cache-a", "cache-b"))


def test_a_contradiction_is_told() -> None:
    found = place("192.0.2.11", names=("db1",))
    assert found.host == ""
    assert found.how == "the address is that of web1, the name is that of db1"
    assert found.candidates == ("db1", "web1")


@pytest.mark.parametrize("common", ["127.0.0.1", "::1", "localhost", "localhost.localdomain"])
def test_what_every_host_has_tells_nothing(common: str) -> None:
    directory = Directory((host(common, address=common),))
    assert directory.place(ScannerHost((common,), (common,))).host == ""


def test_an_unknown_host_has_no_candidates() -> None:
    assert place("198.51.100.1", names=("printer",)).candidates == ()


def test_several_addresses_of_one_host_are_one_host() -> None:
    assert place("127.0.0.1", "198.51.100.1", "192.0.2.11").host == "web1"
