"""What a package is called by rules, and which of them goes first."""

from __future__ import annotations

import pytest

from suture.core.intelligence.subjects import BASE, Lane, Subject, compared, names, tiers
from suture.core.inventory import Package
from suture.core.versions import Scheme
from tests.unit.core.builders import package

LIBS = package("openssl-libs", "1:3-1.el9", source="openssl", source_version="3-1.el9")
NODE = package("npm", "1:8-1.module_el9", source="nodejs", source_version="18-1.module_el9")


def test_where_rpm_is_used_the_binary_package_goes_before_its_source() -> None:
    assert tiers(LIBS, Scheme.RPM) == (
        (Subject("openssl-libs", "1:3-1.el9", BASE),),
        (Subject("openssl", "1:3-1.el9", Lane(by_source=True)),),
    )
    assert names(LIBS, Scheme.RPM) == {"openssl-libs", "openssl"}


def test_elsewhere_only_the_source_counts() -> None:
    assert tiers(LIBS, Scheme.DPKG) == ((Subject("openssl", "3-1.el9", BASE),),)
    assert names(LIBS, Scheme.APK) == {"openssl"}


@pytest.mark.parametrize(("module", "lanes"), [("nodejs:18", ["nodejs:18", "*"]), ("", ["*"])])
def test_of_a_module_its_stream_and_the_unnamed_one_count(module: str, lanes: list[str]) -> None:
    node = package("npm", NODE.version, source="nodejs", module=module)
    for tier in tiers(node, Scheme.RPM):
        assert [subject.lane.module for subject in tier] == lanes


def test_the_builds_of_a_channel_are_asked_before_the_release_s_own() -> None:
    (first, second) = tiers(package("curl", "7.58.0-2ubuntu3.24+esm5"), Scheme.DPKG)
    assert (first[0].lane, second[0].lane) == (Lane(build="esm"), BASE)


@pytest.mark.parametrize(
    ("one", "version"),
    [
        (LIBS, "1:3-1.el9"),
        (package("bash", "5-1"), "5-1"),
        (NODE, "18-1.module_el9"),
        (package("x", "2:1-1", source="y", source_version="3:1-1"), "3:1-1"),
    ],
)
def test_a_source_without_an_epoch_has_that_of_the_same_version(one: Package, version: str) -> None:
    assert compared(one, Scheme.RPM, by_source=True) == (one.source, version)
