"""What a host says of its release, as the release that advisories name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.inventory import OperatingSystem
from suture.core.releases import base_release


@pytest.mark.parametrize(
    ("id_", "version", "release"),
    [
        ("rhel", "9.4", "rhel:9"),
        ("rhel", "10.0", "rhel:10"),
        ("almalinux", "8.10", "almalinux:8"),
        ("rocky", "9.5", "rocky:9"),
        ("ol", "8.10", "ol:8"),
        ("centos", "9", "centos:9"),
        ("fedora", "43", "fedora:43"),
        ("debian", "12", "debian:12"),
        ("ubuntu", "22.04", "ubuntu:22.04"),
        ("alpine", "3.18.4", "alpine:3.18"),
        ("alpine", "3.22_alpha20250108", "alpine:edge"),
        ("alpine", "edge", "alpine:edge"),
        ("sles", "15.5", "sles:15.5"),
        ("sles", "15", "sles:15"),
        ("opensuse-leap", "15.6", "opensuse-leap:15.6"),
        ("opensuse-tumbleweed", "20260812", "opensuse-tumbleweed:"),
        ("arch", "", "arch:"),
        ("somethingnew", "1.2.3", "somethingnew:1.2.3"),
        ("debian", "", "debian:"),
    ],
)
def test_a_host_s_release(id_: str, version: str, release: str) -> None:
    assert base_release(id_, version) == release


@given(
    id_=st.from_regex(r"[a-z-]{1,20}", fullmatch=True), version=st.text("0123456789.", max_size=9)
)
def test_a_release_stays_what_it_is(id_: str, version: str) -> None:
    release = base_release(id_, version)
    assert base_release(*release.split(":")) == release


def test_a_host_is_judged_by_its_release_and_shown_by_its_own_name() -> None:
    alma = OperatingSystem("almalinux", "9.4", pretty="AlmaLinux 9.4 (Seafoam Ocelot)")
    assert (alma.release, alma.title) == ("almalinux:9", "AlmaLinux 9.4 (Seafoam Ocelot)")
    assert OperatingSystem("almalinux", "9.4").title == "almalinux 9.4"
