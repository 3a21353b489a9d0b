"""A fleet matched at once is each of its hosts matched alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suture.core.assessment.fleet_findings import FleetFindings
from suture.core.assessment.fleet_matching import match_fleet, names_beside
from suture.core.assessment.matching import Known, match, names_of
from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.intelligence.rule_table import rule_table
from suture.core.inventory import (
    Inventory,
    Kernel,
    OperatingSystem,
    Origin,
    Package,
    PackageState,
)
from tests.unit.core.builders import fleet_of, inventory, package

DEBIAN, ALMA = OperatingSystem("debian", "12"), OperatingSystem("almalinux", "9")
RHEL = OperatingSystem("rhel", "9.2")
STAYS = (Origin(archive="rhel-9-for-x86_64-baseos-eus-rpms"),)
CVES = ("CVE-2026-1", "CVE-2026-2")

versions = st.sampled_from(
    (
        "1-1",
        "1-2",
        "1:1-2",
        "2-1",
        "2-2.module_el9",
        "1-1+esm2",
        "1-2.fips.1",
        "1-2.el9_2",
        "1-1.el9_4",
        "not a version",
    )
)
archs = st.sampled_from(("amd64", "i386", "all"))
modules = st.sampled_from(("", "", "m:1"))
names = st.sampled_from(("nginx", "nginx-common"))
kernels = st.sampled_from(("linux-image-6.1.0-1-amd64", "linux-image-6.1.0-2-amd64", "kernel-core"))

packages = st.builds(
    Package,
    name=names,
    arch=archs,
    version=versions,
    source=st.just("nginx"),
    source_version=versions,
    state=st.sampled_from((PackageState.INSTALLED,) * 3 + (PackageState.RESIDUAL,)),
    module=modules,
)
images = st.builds(
    Package,
    name=kernels,
    arch=st.just("amd64"),
    version=versions,
    source=st.sampled_from(("linux-signed-amd64", "kernel")),
    source_version=versions,
)


@st.composite
def affected(draw: st.DrawFn) -> Affected:
    state = draw(st.sampled_from((FixState.FIXED,) * 6 + tuple(FixState)))
    return Affected(
        release=draw(st.sampled_from((DEBIAN, ALMA, RHEL))).release,
        package=draw(
            st.one_of(names, names, st.sampled_from(("linux-signed-amd64", "kernel-core")))
        ),
        state=state,
        fixed=draw(versions) if state is FixState.FIXED else None,
        introduced=draw(st.sampled_from(("", "", "1-2", "2-1"))),
        module=draw(modules),
        archs=draw(st.sampled_from(((), (), ("amd64",), ("i386", "s390x")))),
        channel=draw(
            st.sampled_from(
                ("", "", "", "esm-infra", "epel", "fips-updates", "eus-9.2", "server-teradata")
            )
        ),
        by_source=draw(st.booleans()),
    )


publishers = st.sampled_from(("vendor", "vendor", "vendor", "changelog"))
advisories = st.builds(
    Advisory,
    id=st.just("A"),
    publisher=publishers,
    cves=st.sampled_from(CVES).map(lambda cve: (cve,)),
    affected=st.lists(affected(), min_size=1, max_size=4).map(tuple),
)


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    own = draw(st.lists(packages, min_size=1, max_size=5, unique=True))
    third_party = draw(st.lists(st.sampled_from(own), max_size=1))
    return inventory(
        "host",
        own + draw(st.lists(images, max_size=2, unique=True)),
        os=draw(st.sampled_from((DEBIAN, ALMA, RHEL))),
        archives=draw(st.sampled_from(((), STAYS))),
        third_party=tuple(one.key for one in third_party),
        kernel=Kernel(
            draw(st.sampled_from(("6.1.0-1-amd64", "1-2.amd64"))),
            container=draw(st.integers(0, 9)) == 0,
        ),
    )


Told = tuple[str, str, bool]  # CVE, source, whether there is a fix


def alone(seen: Inventory, index: AdvisoryIndex) -> list[Told]:
    found = match(seen, index)
    return sorted((one.cve, one.source, one.fixed is not None) for one in found)


@settings(max_examples=500, deadline=None)
@given(st.lists(inventories(), max_size=3), st.lists(advisories, max_size=8))
def test_a_fleet_is_its_hosts(seen: list[Inventory], said: list[Advisory]) -> None:
    index = AdvisoryIndex(said)
    together = match_fleet(fleet_of(seen), rule_table(index))
    told = [
        sorted((one.cve, one.source, one.state is FixState.FIXED) for one in together.of_host(n))
        for n in range(len(seen))
    ]
    expected = [alone(one, index) for one in seen]
    assert told == expected
    assert len(together) == sum(map(len, expected))
    assert together.by_host().sum(axis=1).tolist() == [len(one) for one in expected]
    for number, cve in enumerate(together.cves):
        hosts = [n for n, some in enumerate(expected) if any(one[0] == cve for one in some)]
        assert together.touched_by(cve).tolist() == hosts
        count = sum(one[0] == cve for some in expected for one in some)
        assert together.by_cve()[number].sum() == count


@settings(max_examples=200, deadline=None)
@given(inventories(), st.lists(advisories, max_size=8))
def test_a_host_s_own_names_are_all_that_judging_it_needs(
    seen: Inventory, said: list[Advisory]
) -> None:
    needed = AdvisoryIndex(()).renewed(names_of([seen]), said)
    assert match(seen, needed) == match(seen, AdvisoryIndex(said))


@settings(max_examples=300, deadline=None)
@given(st.lists(inventories(), min_size=2, max_size=4), st.lists(advisories, max_size=8))
def test_what_is_known_of_packages_changes_no_answer(
    some: list[Inventory], said: list[Advisory]
) -> None:
    index, known = AdvisoryIndex(said), Known()
    assert [match(one, index, known) for one in some] == [match(one, index) for one in some]


def rule(cve: str, fixed: str | None) -> Advisory:
    state = FixState.FIXED if fixed else FixState.AFFECTED
    return Advisory(cve, "debian", (cve,), (Affected("debian:12", "nginx", state, fixed),))


MORE = "CVE-2026-3"


def test_counts_by_host_by_cve_and_by_state() -> None:
    seen = [
        inventory("a", [package("nginx", "1"), package("nginx-common", "1", source="nginx")]),
        inventory("b", [package("nginx", "2")]),
    ]
    said = [rule(CVES[0], "2"), rule(CVES[1], None), rule(MORE, "1")]
    found = match_fleet(fleet_of(seen), rule_table(AdvisoryIndex(said)))
    fixed, affected = 0, 3
    assert found.by_host()[:, [fixed, affected]].tolist() == [[1, 1], [0, 1]]
    by_cve = dict(zip(found.cves, found.by_cve().tolist(), strict=True))
    assert by_cve[CVES[0]][fixed] == 1
    assert by_cve[CVES[1]][affected] == 2
    assert found.touched_by("CVE-1999-1").tolist() == []


@settings(max_examples=300, deadline=None)
@given(
    st.lists(inventories(), max_size=4),
    st.lists(advisories, max_size=8),
    st.lists(advisories, max_size=8),
)
def test_what_is_newly_open_names_the_hosts_on_which_it_was_not(
    seen: list[Inventory], then: list[Advisory], now: list[Advisory]
) -> None:
    before, after = (
        match_fleet(fleet_of(seen), rule_table(AdvisoryIndex(said))) for said in (then, now)
    )

    def open_on(found: FleetFindings) -> set[tuple[int, str, str]]:
        return {(n, one.cve, one.source) for n in range(len(seen)) for one in found.of_host(n)}

    told = [(n, cve, source) for cve, source, ns in after.new_since(before) for n in ns.tolist()]
    assert len(told) == len(set(told))
    assert set(told) == open_on(after) - open_on(before)


@pytest.mark.parametrize("said", [[], [rule(CVES[0], "1")]])
def test_a_fleet_without_findings_and_one_without_hosts(said: list[Advisory]) -> None:
    table = rule_table(AdvisoryIndex(said))
    for seen in ([], [inventory("a", [package("nginx", "1")])]):
        found = match_fleet(fleet_of(seen), table)
        assert (len(found), found.by_host().sum(), found.by_cve().sum()) == (0, 0, 0)


def test_all_names_of_a_source_decide_about_it() -> None:
    libs = package("openssl-libs", source="openssl")
    seen = [
        inventory("a", [libs, package("openssl"), package("bash")], os=ALMA),
        inventory("b", [package("bash"), libs]),
    ]
    beside = names_beside(fleet_of(seen), {(ALMA.release, "openssl-libs"), (DEBIAN.release, "x")})
    assert beside == {(ALMA.release, "openssl-libs"), (ALMA.release, "openssl")}
