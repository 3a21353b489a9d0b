"""Whose word counts where a channel, or a stream of a minor release, speaks besides the release."""

from __future__ import annotations

import pytest

from suture.core.assessment.findings import FindingState
from suture.core.intelligence.advisories import FixState
from suture.core.inventory import OperatingSystem, Origin
from tests.unit.core.assessment.matched import advisory, found, states, update
from tests.unit.core.builders import inventory, package


def test_a_fix_in_an_archive_apart_is_elsewhere_unless_that_is_enabled() -> None:
    apart = advisory(channel="esm-infra", publisher="ubuntu")
    (finding,) = found(inventory("web", [package(version="1")]), apart)
    assert finding.state is FindingState.FIXED_ELSEWHERE
    assert finding.reasons[0].endswith("; esm-infra has that, and no enabled archive")
    enabled = inventory("web", [package(version="1")], updates=(update("nginx", "1", "2"),))
    assert states(enabled, apart) == [FindingState.FIXABLE]


@pytest.mark.parametrize(
    ("base", "fixed"),
    [
        ((FixState.FIXED, "2"), "2"),
        ((FixState.NOT_AFFECTED, None), "closed"),
        ((FixState.AFFECTED, None), "3"),
        ((FixState.WILL_NOT_FIX, None), "3"),
        ((FixState.END_OF_LIFE, None), "3"),
        ((FixState.UNDER_INVESTIGATION, None), "3"),
        (None, "3"),
    ],
)
def test_a_channel_speaks_where_the_release_s_own_archive_leaves_it_open(
    base: tuple[FixState, str | None] | None, fixed: str
) -> None:
    rules = [advisory("3", publisher="ubuntu", channel="esm-infra")]
    if base is not None:
        rules.append(advisory(base[1], state=base[0], publisher="ubuntu"))
    seen = inventory("web", [package(version="1")])
    for order in (rules, rules[::-1]):
        assert [one.fixed for one in found(seen, *order)] == ([] if fixed == "closed" else [fixed])


def test_a_channel_without_a_fix_takes_nothing_back() -> None:
    seen = inventory("web", [package(version="1")])
    apart = advisory(None, state=FixState.NOT_AFFECTED, publisher="ubuntu", channel="esm-infra")
    base = advisory(None, state=FixState.AFFECTED, publisher="ubuntu")
    assert states(seen, apart, base) == [FindingState.NO_FIX]
    open_ = advisory(None, state=FixState.AFFECTED, publisher="ubuntu", channel="esm-infra")
    assert states(seen, open_) == [FindingState.NO_FIX]


@pytest.mark.parametrize(
    ("channel", "version", "is_open"),
    [
        ("fips-updates", "1-1", False),
        ("realtime", "1-1", False),
        ("eus-9.2", "1-1", False),
        ("fips-updates", "1-1.fips.1", True),
        ("fips-updates", "1-1.fips.7", False),
        ("ksplice", "1-1.ksplice1", True),
        ("epel", "1-1", True),
    ],
)
def test_builds_of_a_channel_are_judged_by_its_word(
    channel: str, version: str, is_open: bool
) -> None:
    seen = inventory("web", [package(version=version)])
    apart = advisory("1-1.fips.5" if "fips" in channel else "1-5", channel=channel)
    assert len(found(seen, apart)) == is_open


def test_a_build_of_a_channel_is_judged_by_the_release_s_own_word_where_that_is_all() -> None:
    seen = inventory("web", [package(version="1.1~esm2")])
    base = advisory("1.1.1", publisher="ubuntu")
    assert len(found(seen, base)) == 1
    assert found(seen, base, advisory("1.1~esm1", publisher="ubuntu", channel="esm-apps")) == ()


EUS = (Origin(archive="rhel-9-for-x86_64-baseos-eus-rpms"),)

MAIN = (Origin(archive="rhel-9-for-x86_64-baseos-rpms"),)


@pytest.mark.parametrize(
    ("archives", "version", "fixed", "says"),
    [
        (
            EUS,
            "1-1.el9_2",
            "1-5.el9_2",
            "e4s-9.2, whose minor release this host stays on, has that",
        ),
        (EUS, "1-5.el9_2", "closed", ""),
        (EUS, "1-5.el9_4", "1-9.el9_4", "judged by the main stream"),
        (MAIN, "1-5.el9_2", "1-9.el9_4", "no enabled archive offers that"),
    ],
)
def test_a_host_that_stays_on_a_minor_release_is_judged_by_its_streams(
    archives: tuple[Origin, ...], version: str, fixed: str, says: str
) -> None:
    about = {"release": "rhel:9", "publisher": "redhat"}
    said = [
        advisory("1-9.el9_4", **about),
        advisory("1-2.el9_2", channel="eus-9.2", **about),
        advisory("1-5.el9_2", channel="e4s-9.2", **about),
        advisory("1-1.el9_0", channel="eus-9.0", **about),
    ]
    seen = inventory(
        "web",
        [package(version=version, source_version=version)],
        os=OperatingSystem("rhel", "9.2"),
        archives=archives,
    )
    findings = found(seen, *said)
    assert [one.fixed for one in findings] == ([] if fixed == "closed" else [fixed])
    assert all(says in "; ".join(one.reasons) for one in findings)


def test_where_no_stream_has_a_word_the_main_one_counts_and_that_is_said() -> None:
    seen = inventory(
        "web", [package(version="1-1.el9_2")], os=OperatingSystem("rhel", "9.2"), archives=EUS
    )
    (one,) = found(seen, advisory("1-9.el9_4", release="rhel:9", publisher="redhat"))
    assert one.reasons[-1].startswith("this host stays on 9.2, of whose streams nothing is said")
