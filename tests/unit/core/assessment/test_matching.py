"""Which vulnerabilities are open on a host, and what would close them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.assessment.findings import Finding, FindingState
from suture.core.assessment.matching import UnnamedUpdate, match, unnamed_updates
from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import (
    AvailableVersion,
    Inventory,
    Kernel,
    OperatingSystem,
    Origin,
    Package,
    PackageState,
    StaleProcess,
    Update,
)
from suture.core.versions import compare
from tests.unit.core.builders import host, inventory, package

SECURITY = Origin("Debian", "Debian-Security", "stable-security", "bookworm-security", "main")
CVE = "CVE-2026-0001"


def advisory(fixed: str | None = "2", **fields: Any) -> Advisory:
    about: dict[str, Any] = {"release": "debian:12", "package": "nginx", "state": FixState.FIXED}
    of_package = set(Affected.__struct_fields__) - {"cves", "severity"}
    about |= {name: fields.pop(name) for name in tuple(fields) if name in of_package}
    defaults: dict[str, Any] = {
        "id": f"changelog:nginx:{fixed}",
        "publisher": "changelog",
        "cves": (CVE,),
    }
    return Advisory(affected=(Affected(fixed=fixed, **about),), **defaults | fields)


def update(name: str, installed: str, offered: str, source: str = "") -> Update:
    version = AvailableVersion(
        name, "amd64", offered, source or name, offered, (SECURITY,), sha256="0" * 64, size=1
    )
    return Update(name, "amd64", installed, source or name, offered, (version,))


def found(seen: Inventory, *advisories: Advisory) -> tuple[Finding, ...]:
    return match(host(seen.host), seen, AdvisoryIndex(advisories))


def states(seen: Inventory, *advisories: Advisory) -> list[FindingState]:
    return [finding.state for finding in found(seen, *advisories)]


def test_an_older_package_with_the_fix_on_offer_is_fixable() -> None:
    seen = inventory("web", [package(version="1")], updates=(update("nginx", "1", "2"),))
    (finding,) = found(seen, advisory(severity=Severity.HIGH))
    assert finding == Finding(
        cve=CVE,
        host="web",
        package="nginx",
        packages=("nginx",),
        source="nginx",
        installed="1",
        fixed="2",
        state=FindingState.FIXABLE,
        severity=Severity.HIGH,
        advisory="changelog:nginx:2",
        publisher="changelog",
        release="debian:12",
        reasons=(
            "nginx 1 is older than 2, which fixes it (changelog); "
            "Debian-Security:bookworm-security/main offers 2",
        ),
    )


@pytest.mark.parametrize("offered", [None, "1.5"])
def test_a_fix_that_no_archive_offers_is_elsewhere(offered: str | None) -> None:
    updates = (update("nginx", "1", offered),) if offered else ()
    seen = inventory("web", [package(version="1")], updates=updates)
    assert states(seen, advisory()) == [FindingState.FIXED_ELSEWHERE]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (FixState.AFFECTED, "debian says that it is affected and names no fix yet"),
        (FixState.WILL_NOT_FIX, "debian says that it is affected and will not be fixed"),
        (FixState.UNDER_INVESTIGATION, "debian is still looking into it"),
        (FixState.END_OF_LIFE, "debian no longer looks at this release"),
    ],
)
def test_without_a_fix_the_publisher_says_why(state: FixState, words: str) -> None:
    (finding,) = found(inventory("web"), advisory(None, state=state, publisher="debian"))
    assert (finding.state, finding.reasons) == (FindingState.NO_FIX, (words,))


@pytest.mark.parametrize("version", ["2", "2.0.1", "1:0"])
def test_the_fixed_version_or_a_newer_one_closes(version: str) -> None:
    assert found(inventory("web", [package(version=version)]), advisory()) == ()


@pytest.mark.parametrize("owner", ["libssl3", "libssl3:amd64"])
def test_a_process_that_runs_the_old_version_keeps_it_open(owner: str) -> None:
    stale = StaleProcess(7, "nginx", "nginx.service", "/usr/lib/libssl.so.3", owner)
    seen = inventory("web", [package("libssl3", "2", source="openssl")], stale=(stale,))
    (finding,) = found(seen, advisory(package="openssl"))
    assert finding.state is FindingState.RESTART
    assert finding.reasons == (
        "2 is installed, but nginx.service still runs what it replaced in libssl3",
    )


def test_what_some_other_package_left_in_memory_is_no_finding() -> None:
    stale = StaleProcess(7, "nginx", "nginx.service", "/usr/lib/libz.so.1", "zlib1g")
    seen = inventory("web", [package(version="2")], stale=(stale,))
    assert found(seen, advisory()) == ()


def test_one_finding_for_all_packages_of_a_source() -> None:
    packages = [package(name, "1", source="nginx") for name in ("nginx-common", "nginx", "nginx-x")]
    (finding,) = found(inventory("web", packages), advisory())
    assert finding.package == "nginx"
    assert finding.packages == ("nginx", "nginx-common", "nginx-x")


def test_a_source_that_is_upgraded_in_part_is_open_in_the_rest() -> None:
    packages = [package("nginx", "2"), package("nginx-common", "1", source="nginx")]
    (finding,) = found(inventory("web", packages), advisory())
    assert (finding.package, finding.packages) == ("nginx-common", ("nginx-common",))


def test_the_source_version_is_compared_and_not_the_binary_one() -> None:
    rebuilt = package("bash", "5.2-2+b13", source_version="5.2-2")
    assert found(inventory("web", [rebuilt]), advisory("5.2-2", package="bash")) == ()
    assert len(found(inventory("web", [rebuilt]), advisory("5.2-2+b1", package="bash"))) == 1


def test_what_is_removed_or_from_a_third_party_is_not_judged() -> None:
    residual = package(version="1", state=PackageState.RESIDUAL)
    assert found(inventory("web", [residual]), advisory()) == ()
    foreign = inventory("web", [package(version="1")], third_party=("nginx:amd64",))
    assert found(foreign, advisory()) == ()


def test_another_release_or_source_is_none_of_this_host_s() -> None:
    seen = inventory("web", [package(version="1")])
    assert found(seen, advisory(release="debian:13"), advisory(package="curl")) == ()


def test_the_publisher_s_own_word_goes_before_the_changelog() -> None:
    seen = inventory("web", [package(version="1")])
    vendor = advisory(None, state=FixState.NOT_AFFECTED, publisher="debian")
    assert found(seen, advisory(), vendor) == ()
    assert found(seen, vendor, advisory()) == ()


def test_a_fix_that_needed_another_one_was_none() -> None:
    seen = inventory("web", [package(version="2")])
    for order in ((advisory("2"), advisory("3")), (advisory("3"), advisory("2"))):
        assert [finding.fixed for finding in found(seen, *order)] == ["3"]


@pytest.mark.parametrize("fixed", [None, "not a version"])
def test_a_fix_that_cannot_be_compared_is_not_taken_for_one(fixed: str | None) -> None:
    assert states(inventory("web"), advisory(fixed)) == [FindingState.NO_FIX]


def test_an_installed_version_that_cannot_be_compared_is_not_fine() -> None:
    seen = inventory("web", [package(version="1-")])
    (finding,) = found(seen, advisory())
    assert "cannot be compared" in finding.reasons[0]


KERNEL = "linux-signed-amd64"
OLD_IMAGE = package("linux-image-6.1.0-1-amd64", "1", source=KERNEL)
NEW_IMAGE = package("linux-image-6.1.0-2-amd64", "2", source=KERNEL)
META = package("linux-image-amd64", "1", source=KERNEL)


def test_only_the_running_kernel_counts() -> None:
    fix = advisory(package=KERNEL)
    running_new = Kernel("6.1.0-2-amd64")
    assert found(inventory("web", [OLD_IMAGE, NEW_IMAGE, META], kernel=running_new), fix) == ()
    running_old = inventory("web", [OLD_IMAGE, META], third_party=(OLD_IMAGE.key,))
    (finding,) = found(running_old, fix)
    assert (finding.state, finding.packages) == (FindingState.FIXED_ELSEWHERE, (OLD_IMAGE.name,))


def test_a_newer_kernel_takes_over_at_the_reboot() -> None:
    (finding,) = found(inventory("web", [OLD_IMAGE, NEW_IMAGE]), advisory(package=KERNEL))
    assert finding.state is FindingState.RESTART
    assert finding.reasons == ("2 is installed, but an older kernel runs",)


def test_a_kernel_that_was_replaced_under_its_own_name_needs_a_reboot() -> None:
    image = package("linux-image-6.1.0-1-amd64", "2", source=KERNEL)
    fix = advisory(package=KERNEL)
    assert found(inventory("web", [image]), fix) == ()
    asks = inventory("web", [image], reboot_required=True, reboot_packages=(image.name,))
    assert states(asks, fix) == [FindingState.RESTART]


def test_a_container_has_no_kernel() -> None:
    seen = inventory("web", [OLD_IMAGE], kernel=Kernel("6.1.0-1-amd64", container=True))
    assert found(seen, advisory(package=KERNEL)) == ()


def test_a_version_from_before_the_vulnerability_is_fine() -> None:
    rules = [advisory("2", introduced="1.5"), advisory("4", introduced="3")]
    for version, is_open in (("1", False), ("1.5", True), ("2", False), ("3", True), ("4", False)):
        seen = inventory("web", [package(version=version)])
        for order in (rules, rules[::-1]):
            assert len(found(seen, *order)) == is_open, version


def test_a_rule_for_other_architectures_is_passed_over() -> None:
    seen = inventory("web", [package(version="1"), package("doc", "1", source="nginx", arch="all")])
    assert found(seen, advisory(archs=("amd64", "arm64")))[0].packages == ("doc", "nginx")
    assert found(seen, advisory(archs=("arm64",)))[0].packages == ("doc",)


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


def test_what_did_not_count_is_told() -> None:
    seen = inventory("web", [package(version="1")])
    rules = [
        advisory("3", publisher="ubuntu", id="USN-1"),
        advisory("2", publisher="ubuntu", id="USN-0"),
        advisory("2"),
        advisory("3", publisher="ubuntu", id="USN-2"),
    ]
    for order in (rules, rules[::-1]):
        (finding,) = found(seen, *order)
        assert finding.advisory == "USN-2"
        assert finding.reasons[1:] == ("ubuntu says otherwise in USN-0: fixed in 2",)
    (finding,) = found(seen, rules[0], rules[2])
    assert finding.reasons[1:] == ("changelog says otherwise in changelog:nginx:2: fixed in 2",)


def test_what_says_the_same_is_not_told_again() -> None:
    seen = inventory("web", [package(version="1")])
    (finding,) = found(seen, advisory("2", publisher="debian"), advisory("2"))
    assert len(finding.reasons) == 1


def test_the_publisher_s_reason_and_the_dispute_are_told() -> None:
    rule = advisory(
        None, state=FixState.WILL_NOT_FIX, publisher="debian", note="minor issue", disputed=True
    )
    (finding,) = found(inventory("web"), rule)
    assert finding.reasons[1:] == (
        "debian: minor issue",
        "disputed: the vendor does not accept it as a vulnerability",
    )


ALMA = OperatingSystem("almalinux", "9")


def rpm(name: str, version: str, source: str = "", **fields: Any) -> Package:
    return package(name, version, arch="x86_64", source=source or name, **fields)


def alma(package: str, fixed: str, **fields: Any) -> Advisory:
    return advisory(fixed, release="almalinux:9", package=package, publisher="almalinux", **fields)


def test_rpm_matches_by_binary_package_and_tells_by_source() -> None:
    packages = [
        rpm("openssl", "1:3.0.1-1.el9", "openssl"),
        rpm("openssl-libs", "1:3.0.1-1.el9", "openssl"),
        rpm("openssl-perl", "1:3.0.1-1.el9", "openssl"),
    ]
    (finding,) = found(
        inventory("web", packages, os=ALMA),
        alma("openssl", "1:3.0.1-2.el9_1"),
        alma("openssl-libs", "1:3.0.1-3.el9"),
    )
    assert (finding.package, finding.source) == ("openssl-libs", "openssl")
    assert finding.packages == ("openssl", "openssl-libs")
    assert finding.fixed == "1:3.0.1-3.el9"
    assert finding.release == "almalinux:9"


def test_a_rule_that_names_the_source_package_is_about_all_built_from_it() -> None:
    by_source = alma("openssl", "1:3.0.1-2.el9", by_source=True)
    libs = rpm("openssl-libs", "1:3.0.1-1.el9", "openssl", source_version="3.0.1-1.el9")
    other = rpm("openssl", "1:2.0-1.el9", "compat-openssl", source_version="2.0-1.el9")
    (finding,) = found(inventory("web", [libs, other], os=ALMA), by_source)
    assert (finding.source, finding.packages) == ("openssl", ("openssl-libs",))
    assert "openssl 1:3.0.1-1.el9 is older than 1:3.0.1-2.el9" in finding.reasons[0]
    new = rpm("openssl-libs", "1:3.0.1-2.el9", "openssl", source_version="3.0.1-2.el9")
    assert found(inventory("web", [new], os=ALMA), by_source) == ()


def test_an_offer_is_found_by_its_source_as_well() -> None:
    libs = rpm("openssl-libs", "3-1", "openssl")
    version = AvailableVersion("openssl-libs", "x86_64", "3-2", "openssl", "3-2", ())
    offers = (Update("openssl-libs", "x86_64", "3-1", "openssl", "3-2", (version,)),)
    seen = inventory("web", [libs], os=ALMA, updates=offers)
    assert states(seen, alma("openssl", "3-2", by_source=True)) == [FindingState.FIXABLE]
    assert states(seen, alma("openssl", "3-3", by_source=True)) == [FindingState.FIXED_ELSEWHERE]


def test_the_word_on_a_binary_package_goes_before_that_on_its_source() -> None:
    packages = [rpm("openssl-libs", "3-1", "openssl"), rpm("openssl", "3-1", "openssl")]
    by_source = alma("openssl", "3-3", by_source=True)
    fine = advisory(
        None,
        release="almalinux:9",
        package="openssl-libs",
        publisher="almalinux",
        state=FixState.NOT_AFFECTED,
    )
    seen = inventory("web", packages, os=ALMA)
    assert [one.packages for one in found(seen, by_source, fine)] == [("openssl",)]
    fixes = [alma("openssl", "3-2"), alma("openssl-libs", "3-1")]
    (finding,) = found(seen, by_source, *fixes)
    assert (finding.packages, finding.fixed) == (("openssl",), "3-2")
    assert "almalinux says otherwise in changelog:nginx:3-3: fixed in 3-3" in finding.reasons


def test_a_host_of_a_minor_release_is_judged_by_its_release_s_advisories() -> None:
    seen = inventory("web", [rpm("bash", "5-1")], os=OperatingSystem("almalinux", "9.4"))
    assert len(found(seen, alma("bash", "5-2"))) == 1


@pytest.mark.parametrize(
    ("rule", "is_open"),
    [
        ({"module": "nodejs:18"}, True),
        ({"module": "nodejs:20"}, False),
        ({"fixed": "2-1.module_el9"}, True),
        ({}, False),
    ],
)
def test_a_module_stream_is_matched_by_its_own_rules(rule: dict[str, Any], is_open: bool) -> None:
    installed = rpm("nodejs", "1-1.module_el9+1", module="nodejs:18")
    rule = {"fixed": "2-1", **rule}
    seen = inventory("web", [installed], os=ALMA)
    assert len(found(seen, alma("nodejs", **rule))) == is_open


def test_of_rpm_s_kernels_the_running_one_counts() -> None:
    old = rpm("kernel-core", "5.14.0-1.el9", "kernel")
    new = rpm("kernel-core", "5.14.0-2.el9", "kernel")
    tools = rpm("kernel-tools", "5.14.0-1.el9", "kernel")
    fixes = [alma(name, "5.14.0-2.el9") for name in ("kernel-core", "kernel-tools")]
    for running, expected in (("5.14.0-2.el9.x86_64", []), ("5.14.0-1.el9.x86_64", ["kernel"])):
        seen = inventory("web", [old, new, tools], os=ALMA, kernel=Kernel(running))
        assert [finding.source for finding in found(seen, *fixes)] == expected
    assert [finding.state for finding in found(seen, *fixes)] == [FindingState.RESTART]


def test_security_updates_that_name_nothing_are_told_apart() -> None:
    updates = (update("nginx", "1", "2"), update("tzdata", "1", "2"), update("curl", "1", "2"))
    seen = inventory("web", [package(name, "1") for name in ("nginx", "tzdata", "curl")])
    seen = inventory("web", seen.packages.packages, updates=updates)
    unnamed = unnamed_updates(seen, AdvisoryIndex([advisory()]), {"curl": "no space left"})
    assert unnamed == (
        UnnamedUpdate("curl", "2", "no space left"),
        UnnamedUpdate("tzdata", "2", "no changelog that was read names a CVE for it"),
    )


def test_advisories_about_other_versions_do_not_name_this_update() -> None:
    seen = inventory("web", [package(version="1")], updates=(update("nginx", "1", "2"),))
    for fixed in ("1", "3"):
        (unnamed,) = unnamed_updates(seen, AdvisoryIndex([advisory(fixed)]), {})
        assert unnamed.source == "nginx"


versions = st.sampled_from(["1", "2", "2+b1", "3~rc1", "3", "1:1"])


@given(
    installed=st.lists(versions, min_size=1, max_size=3),
    fixed=st.lists(versions, max_size=4),
    offered=versions,
)
def test_open_exactly_when_some_package_is_older_than_the_highest_fix(
    installed: list[str], fixed: list[str], offered: str
) -> None:
    packages = [package(f"p{n}", v, source="nginx") for n, v in enumerate(installed)]
    seen = inventory("web", packages, updates=(update("p0", installed[0], offered, "nginx"),))
    findings = found(seen, *(advisory(version) for version in fixed))
    highest = max(fixed, key=lambda v: [compare(v, other) for other in fixed].count(1), default="0")
    is_open = any(compare(version, highest) < 0 for version in installed)
    assert len(findings) == (1 if is_open else 0)
    for finding in findings:
        assert (finding.state is FindingState.FIXABLE) == (compare(offered, highest) >= 0)


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
