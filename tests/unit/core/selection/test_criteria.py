"""What an organisation demands of a patch: each demand met, not met, and not known."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from suture.core.assessment.findings import Finding, FindingState
from suture.core.intelligence.advisories import Severity
from suture.core.inventory import (
    HealthCheck,
    HealthCheckKind,
    Inventory,
    Kernel,
    Listener,
    Origin,
    PackageState,
    Platform,
    Service,
)
from suture.core.selection.criteria import out_of_tree
from suture.core.selection.ledger import Reason, SelectionRules
from tests.unit.core.builders import inventory, package
from tests.unit.core.offers import detail, offer, reason, seen, taken, update

KERNEL = "linux-image-amd64"
MACHINE = Platform("none", "GenuineIntel", ())


def finding(severity: Severity = Severity.HIGH, source: str = "nginx", **fields: Any) -> Finding:
    return Finding(
        cve="CVE-2026-0001",
        host="web",
        package=source,
        packages=(source,),
        source=source,
        installed="1",
        fixed="2",
        state=FindingState.FIXABLE,
        severity=severity,
        **fields,
    )


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([finding(Severity.MEDIUM)], Reason.BELOW_SEVERITY),
        ([finding(Severity.HIGH)], Reason.SELECTED),
        ([finding(Severity.UNKNOWN)], Reason.SELECTED),
        ([finding(Severity.LOW, kev=True)], Reason.SELECTED),
        ([], Reason.SELECTED),
    ],
)
def test_below_the_severity_that_is_wanted(found: list[Finding], expected: Reason) -> None:
    selection = taken(seen(update(offer("nginx"))), findings=found, min_severity=Severity.HIGH)
    assert reason(selection) is expected
    if expected is Reason.BELOW_SEVERITY:
        assert "nothing above medium, the policy takes high and above" in detail(selection)


def test_what_is_below_comes_along_where_something_selected_needs_it() -> None:
    host = seen(update(offer("nginx", depends="libc (>= 2)")), update(offer("libc")))
    low = finding(Severity.LOW, source="libc")
    selection = taken(host, findings=[low], min_severity=Severity.HIGH)
    assert (reason(selection), reason(selection, "libc")) == (Reason.SELECTED, Reason.REQUIRED)


def test_the_threshold_is_a_severity_that_can_be_known() -> None:
    with pytest.raises(ValueError, match="low, medium, high or critical"):
        SelectionRules(min_severity=Severity.UNKNOWN)


def test_what_closes_an_exploited_vulnerability_waits_for_no_age() -> None:
    host = seen(update(offer("nginx")))
    young = {("nginx", "2"): date(2026, 3, 1)}
    rules: dict[str, Any] = {"min_age_days": 14}
    for published, expected in ((young, Reason.TOO_YOUNG), ({}, Reason.AGE_UNKNOWN)):
        calm = taken(host, findings=[finding()], published=published, **rules)
        assert reason(calm) is expected
        urgent = taken(host, findings=[finding(kev=True)], published=published, **rules)
        assert reason(urgent) is Reason.SELECTED
        (entry,) = urgent.ledger.entries
        assert "taken early, for it closes what is known to be exploited: " in entry.detail
    of_age = taken(host, findings=[finding(kev=True)], published={("nginx", "2"): date(2026, 1, 1)})
    assert "early" not in of_age.ledger.entries[0].detail
    elsewhere = finding(kev=True, source="curl")
    assert reason(taken(host, findings=[elsewhere], published=young, **rules)) is Reason.TOO_YOUNG


def test_what_closes_nothing_here_is_not_relevant() -> None:
    host = seen(update(offer("nginx")))
    assert reason(taken(host, relevant_only=True)) is Reason.NOT_RELEVANT
    assert reason(taken(host, relevant_only=True, findings=[finding()])) is Reason.SELECTED


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        (KERNEL, {"kernel": Kernel("6.1.0-1-amd64", container=True)}, Reason.NOT_RELEVANT),
        (KERNEL, {"platform": MACHINE}, Reason.SELECTED),
        ("intel-microcode", {"platform": Platform("kvm", "", ())}, Reason.NOT_RELEVANT),
        ("amd64-microcode", {"platform": MACHINE}, Reason.NOT_RELEVANT),
        ("intel-microcode", {"platform": MACHINE}, Reason.SELECTED),
        ("intel-microcode", {"platform": Platform("", "", ())}, Reason.SELECTED),
        ("intel-microcode", {"platform": None}, Reason.SELECTED),
    ],
)
def test_relevance_to_what_the_host_runs_on(
    name: str, fields: dict[str, Any], expected: Reason
) -> None:
    host = seen(update(offer(name)), **fields)
    selection = taken(host, findings=[finding(source=name)], relevant_only=True)
    assert reason(selection, name) is expected


def test_a_version_for_another_release_is_left_out() -> None:
    trixie = Origin("Debian", "Debian-Security", "stable-security", "trixie-security", "main")
    backports = Origin("Debian Backports", "", "", "bookworm-backports", "main")
    host = seen(update(offer("nginx", origin=trixie)), update(offer("curl", origin=backports)))
    selection = taken(host, security_only=False)
    assert reason(selection) is Reason.INCOMPATIBLE
    assert detail(selection) == "is for trixie, the host runs bookworm"
    assert reason(selection, "curl") is Reason.SELECTED
    assert reason(taken(host, allow_other_releases=True)) is Reason.SELECTED


def test_a_new_package_of_another_architecture_does_not_come() -> None:
    needy = update(offer("nginx", depends="libnew"))
    host = seen(needy, installable=(offer("libnew", arch="arm64"),))
    assert reason(taken(host, allow_new_packages=True)) is not Reason.SELECTED
    foreign = seen(needy, installable=(offer("libnew", arch="arm64"),), foreign_archs=("arm64",))
    assert reason(taken(foreign, allow_new_packages=True)) is Reason.SELECTED


def with_modules(*packages: Any, **fields: Any) -> Inventory:
    return seen(update(offer(KERNEL)), installed=packages, **{"platform": MACHINE} | fields)


def test_a_kernel_for_which_modules_are_built_is_said_or_left_out() -> None:
    host = with_modules(package("zfs-dkms", "2.1"))
    selection = taken(host)
    assert "modules are built anew for it: zfs-dkms" in detail(selection, KERNEL)
    selection = taken(host, allow_dkms_kernels=False)
    assert reason(selection, KERNEL) is Reason.OUT_OF_TREE
    assert detail(selection, KERNEL) == "a new kernel would need zfs-dkms built anew"


def test_modules_are_known_by_their_packages_and_by_what_is_built() -> None:
    gone = package("nvidia-dkms", "5", state=PackageState.RESIDUAL)
    host = with_modules(
        package("zfs-dkms", "2.1"), gone, platform=Platform("none", "", ("zfs", "falcon"))
    )
    assert out_of_tree(host) == ("falcon", "zfs-dkms")
    assert out_of_tree(inventory("web")) == ()


def test_whether_modules_are_built_is_not_guessed() -> None:
    selection = taken(with_modules(platform=None), allow_dkms_kernels=False)
    assert reason(selection, KERNEL) is Reason.OUT_OF_TREE
    assert "is not known; scan the host again" in detail(selection, KERNEL)
    assert reason(taken(with_modules(), allow_dkms_kernels=False), KERNEL) is Reason.SELECTED


def check(kind: HealthCheckKind, target: str, *, proposed: bool = False) -> HealthCheck:
    return HealthCheck(kind, target, proposed=proposed)


@pytest.mark.parametrize(
    ("checks", "covered"),
    [
        ((), False),
        ((check(HealthCheckKind.UNIT, "nginx.service"),), True),
        ((check(HealthCheckKind.UNIT, "nginx"),), True),
        ((check(HealthCheckKind.PORT, "127.0.0.1:80"),), True),
        ((check(HealthCheckKind.HTTP, "http://127.0.0.1/health"),), True),
        ((check(HealthCheckKind.HTTP, "http://[::1]:80/"),), True),
        ((check(HealthCheckKind.HTTP, "https://127.0.0.1/"),), False),
        ((check(HealthCheckKind.UNIT, "cron.service"),), False),
        ((check(HealthCheckKind.COMMAND, "/usr/local/bin/ready"),), True),
    ],
)
def test_a_patch_to_a_service_that_nothing_checks(
    checks: tuple[HealthCheck, ...], covered: bool
) -> None:
    host = seen(
        update(offer("nginx")),
        update(offer("curl")),
        services=(Service("nginx.service", "active", "running"),),
        listeners=(Listener("tcp", "0.0.0.0", 80, "nginx", "nginx.service"),),
    )
    strict = taken(host, checks=checks, require_checks=True)
    assert reason(strict) is (Reason.SELECTED if covered else Reason.UNTESTED)
    assert reason(strict, "curl") is Reason.SELECTED, "it runs no service"
    lenient = taken(host, checks=checks)
    assert reason(lenient) is Reason.SELECTED
    assert ("no health check covers nginx.service" in detail(lenient)) is not covered
