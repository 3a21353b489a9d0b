"""Patterns of hosts: by name, label and service; groups are those that each pattern says."""

from hypothesis import given
from hypothesis import strategies as st

from suture.core.host_patterns import HostGroups, matches
from suture.core.inventory import Host
from tests.unit.core.builders import host

words = st.sampled_from(["web", "web-1", "web-2", "db", "db-1", "prod"])
patterns = st.sampled_from(["web", "web-*", "*-1", "db", "db-?", "prod", "[pd]*", "nothing"])
hosts = st.builds(
    host,
    words,
    labels=st.lists(words, max_size=2).map(tuple),
    service=st.none() | words,
)


def test_a_pattern_matches_name_label_or_service() -> None:
    one = host("web-1", labels=("prod",), service="shop")
    for pattern in ("web-1", "web-*", "prod", "pr?d", "shop", "s*"):
        assert matches(one, pattern)
    for pattern in ("web", "web-2", "Prod", "shop-*"):
        assert not matches(one, pattern)


@given(st.lists(st.lists(patterns, max_size=3), max_size=4), st.lists(hosts, max_size=20))
def test_groups_are_those_of_which_a_pattern_matches(
    groups: list[list[str]], fleet: list[Host]
) -> None:
    asked = HostGroups(groups)
    for one in fleet:
        assert asked.of(one) == tuple(
            at for at, group in enumerate(groups) if any(matches(one, pattern) for pattern in group)
        )
