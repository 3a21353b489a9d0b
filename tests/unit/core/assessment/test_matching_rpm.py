"""Which vulnerabilities are open on a host of rpm packages."""

from __future__ import annotations

from typing import Any

import pytest

from suture.core.assessment.findings import FindingState
from suture.core.intelligence.advisories import FixState
from suture.core.inventory import AvailableVersion, Kernel, OperatingSystem, Update
from tests.unit.core.assessment.matched import ALMA, advisory, alma, found, rpm, states
from tests.unit.core.builders import inventory


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
