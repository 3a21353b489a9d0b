"""What changed from one plan to the next."""

from suture.core.documents import decode, digest, encode
from suture.core.planning.plan import HostDiff, Plan, Replaced, diff
from tests.unit.core.builders import change, plan, wave, with_host

OLD = plan([wave(0, ["a", "b"])])


def test_a_plan_without_times_says_nothing_of_them_and_keeps_its_id() -> None:
    assert b"timetable" not in encode(OLD)
    assert decode(encode(OLD), Plan) == OLD
    assert digest(decode(encode(OLD), Plan))[:12] == OLD.id


def test_a_plan_does_not_differ_from_itself() -> None:
    assert diff(OLD, OLD).is_empty


def test_hosts_that_come_go_and_move() -> None:
    new = plan([wave(0, ["b"]), wave(1, ["a", "c"])])
    change_ = diff(OLD, new)
    assert (change_.hosts_added, change_.hosts_dropped) == (("c",), ())
    assert change_.hosts_changed == (HostDiff("a", moved=("ring-0", "ring-1")),)
    assert change_.waves == (("ring-0",), ("ring-0", "ring-1"))
    assert diff(new, OLD).hosts_dropped == ("c",)


def test_packages_that_are_added_dropped_and_replaced() -> None:
    curl, vim, nginx = change("curl"), change("vim"), change("nginx")
    newer = change("nginx", after="1.22.1-9+deb12u2")
    old = with_host(OLD, "a", changes=(nginx, curl))
    new = with_host(OLD, "a", changes=(newer, vim))
    (only,) = diff(old, new).hosts_changed
    assert only == HostDiff("a", added=(vim,), dropped=(curl,), replaced=(Replaced(nginx, newer),))


def test_other_bytes_under_the_same_version_are_a_difference() -> None:
    other = with_host(OLD, "a", changes=(change("nginx", sha256="0" * 64),))
    assert len(diff(OLD, other).hosts_changed[0].replaced) == 1
