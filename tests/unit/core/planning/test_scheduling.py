"""Which host goes when: each exactly once, the same on every run, services spread."""

from collections import Counter
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.documents import encode
from suture.core.inventory import Host
from suture.core.planning.lint import lint
from suture.core.planning.plan import Apart, ServiceLimit
from suture.core.planning.scheduling import assign_rings, service_limits, waves
from suture.core.policy import Concurrency, Policy, RingPolicy, ServicePolicy
from suture.core.rollout.limits import Room
from suture.core.words import share_of
from tests.unit.core.builders import host, host_plan, plan, wave

names = st.lists(st.integers(0, 999), unique=True, min_size=1, max_size=60)
fleets = names.flatmap(
    lambda numbers: st.tuples(
        *(
            st.builds(
                host,
                st.just(f"h{number}"),
                service=st.sampled_from([None, "web", "db"]),
                ring=st.sampled_from([None, None, None, "early", "nowhere"]),
            )
            for number in numbers
        )
    )
)


def rings_of(hosts: list[Host], policy: Policy) -> dict[str, list[str]]:
    rings: dict[str, list[str]] = {}
    for name, ring in assign_rings(hosts, policy).items():
        rings.setdefault(ring, []).append(name)
    return rings


@given(fleets, st.randoms())
def test_each_host_has_one_ring_whatever_the_order(hosts: tuple[Host, ...], random: object) -> None:
    rings = assign_rings(hosts, Policy())
    assert rings.keys() == {h.name for h in hosts if h.ring != "nowhere"}
    assert all(rings[h.name] == h.ring for h in hosts if h.ring == "early")
    shuffled = list(hosts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert assign_rings(shuffled, Policy()) == rings


@given(fleets)
def test_a_share_is_kept_and_never_takes_a_whole_service(hosts: tuple[Host, ...]) -> None:
    free = [h for h in hosts if h.ring is None]
    rings = rings_of(free, Policy())
    assert len(rings.get("canary", ())) <= max(1, len(free) * 5 // 100)
    members = Counter(h.service for h in free if h.service)
    service_of = {h.name: h.service for h in free}
    for ring in ("canary", "early"):
        inside = Counter(service_of[name] for name in rings.get(ring, ()))
        assert all(inside[name] < n for name, n in members.items() if n > 1)


@given(names, st.integers(1000, 1999))
@example(list(range(39)), 1000)
def test_a_new_host_moves_at_most_one_other_across_each_boundary(
    numbers: list[int], new: int
) -> None:
    """Or as many as the shares before that boundary have grown by."""
    before = [host(f"h{number}") for number in numbers]
    old = assign_rings(before, Policy())
    joined = assign_rings([*before, host(f"h{new}")], Policy())
    sizes = [[share_of(share, n) for share in ("5%", "25%")] for n in (len(old), len(joined))]
    canary, early = (after - before for before, after in zip(*sizes, strict=True))
    moved = sum(old[name] != joined[name] for name in old)
    assert moved <= max(1, canary) + max(1, canary + early)


def test_own_ring_before_pattern_before_share_before_rest() -> None:
    policy = Policy(
        rings=(
            RingPolicy(name="canary", share=1),
            RingPolicy(name="staging", hosts=("stage-*", "test")),
            RingPolicy(name="broad"),
        )
    )
    hosts = [
        host("stage-1", ring="broad"),
        host("stage-2"),
        host("a", labels=("test",)),
        host("b"),
        host("c"),
    ]
    rings = assign_rings(hosts, policy)
    assert (rings["stage-1"], rings["stage-2"], rings["a"]) == ("broad", "staging", "staging")
    assert sorted([rings["b"], rings["c"]]) == ["broad", "canary"]


def test_without_a_ring_for_the_rest_hosts_stay_out() -> None:
    policy = Policy(rings=(RingPolicy(name="only", hosts=("web",)),))
    assert assign_rings([host("web"), host("db")], policy) == {"web": "only"}


def test_the_first_ring_takes_one_of_each_service_before_a_second() -> None:
    policy = Policy(rings=(RingPolicy(name="first", share=3), RingPolicy(name="rest")))
    hosts = [host(f"{s}-{n}", service=s) for s in ("a", "b", "c") for n in range(4)]
    first = rings_of(hosts, policy)["first"]
    assert sorted(name[0] for name in first) == ["a", "b", "c"]


@given(
    st.lists(
        st.tuples(st.integers(0, 99), st.sampled_from(["canary", "early", "broad"])),
        unique_by=lambda pair: pair[0],
        max_size=40,
    )
)
def test_waves_hold_each_host_once_in_the_order_of_the_rings(placed: list[tuple[int, str]]) -> None:
    plans = [host_plan(f"h{number}", ring=ring) for number, ring in placed]
    made = waves(plans, Policy(concurrency=Concurrency(total=7)))
    assert sorted(name for w in made for name in w.hosts) == sorted(p.host for p in plans)
    order = [ring.name for ring in Policy().rings]
    assert [w.ring for w in made] == [name for name in order if any(p.ring == name for p in plans)]
    assert [w.index for w in made] == list(range(len(made)))
    assert all(w.hosts and w.parallel <= 7 for w in made)


def test_members_of_a_service_stand_apart_in_a_wave() -> None:
    plans = [host_plan(f"{s}-{n}", ring="broad", service=s) for s in ("a", "b") for n in range(3)]
    (only,) = waves(plans, Policy())
    assert [sorted(name[0] for name in only.hosts[i : i + 2]) for i in (0, 2, 4)] == [
        ["a", "b"]
    ] * 3


def test_a_service_limit_counts_every_member() -> None:
    policy = Policy(services={"web": ServicePolicy(max_out="50%")})
    hosts = [
        host("w2", service="web"),
        host("w1", service="web"),
        host("d", service="db"),
        host("x"),
    ]
    assert service_limits(hosts, policy) == (
        ServiceLimit("db", ("d",), 1),
        ServiceLimit("web", ("w1", "w2"), 1),
    )


@given(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 5, "50%", "100%"]))
def test_a_quorum_stays_in_whatever_may_be_out(members: int, quorum: int, max_out: Any) -> None:
    policy = Policy(services={"db": ServicePolicy(max_out=max_out, quorum=quorum)})
    hosts = [host(f"h{n}", service="db") for n in range(members)]
    (limit,) = service_limits(hosts, policy)
    assert limit.quorum == quorum
    assert limit.max_out <= members - quorum
    codes = {one.code for one in lint(replace(plan([wave(0, ["h0"])]), services=(limit,)))}
    assert ("service-limit" in codes) == (limit.max_out < 1 or limit.max_out >= members > 1)
    assert ("service-quorum" in codes) == (members < quorum)


def test_hosts_are_kept_apart_by_their_labels() -> None:
    policy = Policy(services={"db": ServicePolicy(max_out=3, anti_affinity=("a", "b", "c"))})
    labels = {"h1": "a", "h2": "b", "h3": "a", "h4": "other"}
    hosts = [host(name, service="db", labels=(label,)) for name, label in labels.items()]
    (limit,) = service_limits(hosts, policy)
    assert limit.apart == (Apart("a", ("h1", "h3")), Apart("b", ("h2",)))
    whole = replace(plan([wave(0, sorted(labels))]), services=(limit,))
    room = Room(whole, parallel=4)
    room.take("h1", at_work=True)
    assert room.refusal("h2") == "service db: h1 of a out, not of b too"
    assert room.refusal("h3") == room.refusal("h4") == ""


def test_who_says_nothing_of_quorum_and_affinity_has_the_plans_that_they_had() -> None:
    (limit,) = service_limits([host("a", service="db")], Policy())
    assert encode(limit) == b'{"service":"db","members":["a"],"max_out":1}'
