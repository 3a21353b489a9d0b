"""OSV's names of distributions as release and channel."""

from __future__ import annotations

import pytest

from suture.feeds.ecosystems import place


@pytest.mark.parametrize(
    ("ecosystem", "purl", "expected"),
    [
        ("Debian:12", "", ("debian:12", "")),
        ("Debian:6.0", "", ("debian:6", "")),
        ("Debian", "", None),
        ("Ubuntu:22.04:LTS", "", ("ubuntu:22.04", "")),
        ("Ubuntu:24.10", "", ("ubuntu:24.10", "")),
        ("Ubuntu:Pro:18.04:LTS", "", ("ubuntu:18.04", "pro")),
        (
            "Ubuntu:Pro:18.04:LTS",
            "pkg:deb/ubuntu/curl@7.58?arch=source&distro=esm-infra/bionic",
            ("ubuntu:18.04", "esm-infra"),
        ),
        ("Ubuntu:Pro:FIPS-updates:22.04:LTS", "", ("ubuntu:22.04", "fips-updates")),
        ("Ubuntu:22.04:for:NVIDIA:BlueField", "", ("ubuntu:22.04", "nvidia-bluefield")),
        ("Ubuntu:22.04:LTS:for:NVIDIA:BlueField", "", ("ubuntu:22.04", "nvidia-bluefield")),
        ("Alpine:v3.18", "", ("alpine:3.18", "")),
        ("Alpine:edge", "", ("alpine:edge", "")),
        ("AlmaLinux:9", "", ("almalinux:9", "")),
        ("Rocky Linux:8", "", ("rocky:8", "")),
        (
            "Rocky Linux:8",
            "pkg:rpm/rocky-linux/kernel?distro=rocky-linux-8-sig-cloud&epoch=0",
            ("rocky:8", "sig-cloud"),
        ),
        ("Red Hat:enterprise_linux:9::appstream", "", ("rhel:9", "")),
        ("Red Hat:rhel_eus:8.8::baseos", "", ("rhel:8", "eus-8.8")),
        ("Red Hat:ocp_tools:4.15::el9", "", ("rhel:9", "ocp_tools-4.15")),
        ("Red Hat:jboss_core_services:1", "", None),
        ("SUSE:Linux Enterprise Server 15 SP5", "", ("sles:15.5", "")),
        ("SUSE:Linux Enterprise Server 15 SP2-LTSS", "", ("sles:15.2", "ltss")),
        ("SUSE:Linux Enterprise Desktop 12", "", ("sled:12", "")),
        ("SUSE:Linux Enterprise Module for Basesystem 15 SP5", "", ("sles:15.5", "")),
        (
            "SUSE:Linux Enterprise Server for SAP Applications 12 SP1",
            "",
            ("sles:12.1", "sap-applications"),
        ),
        ("SUSE:Package Hub 12", "", ("sles:12", "package-hub")),
        ("SUSE:Linux Enterprise Micro 5.3", "", ("sle-micro:5.3", "")),
        ("openSUSE:Leap 15.5", "", ("opensuse-leap:15.5", "")),
        ("openSUSE:Tumbleweed", "", ("opensuse-tumbleweed:", "")),
        ("PyPI", "", None),
        ("Debian:" + "1" * 500, "", None),
    ],
)
def test_place(ecosystem: str, purl: str, expected: tuple[str, str] | None) -> None:
    assert place(ecosystem, purl) == expected
