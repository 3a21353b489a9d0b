"""Which vulnerabilities are open on a host, and what would close them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.assessment.findings import Finding, FindingState
from suture.core.assessment.matching import UnnamedUpdate, unnamed_updates
from suture.core.intelligence.advisories import FixState, Severity
from suture.core.intelligence.advisory_index import AdvisoryIndex
from suture.core.inventory import Kernel, PackageState, StaleProcess
from suture.core.versions import compare
from tests.unit.core.assessment.matched import CVE, advisory, found, states, update
from tests.unit.core.builders import inventory, package


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
