"""Which channels speak for a release's hosts, and which packages are a channel's own builds."""

from __future__ import annotations

import pytest

from suture.core.intelligence.channels import build, channel
from tests.unit.core.builders import package


@pytest.mark.parametrize(
    ("name", "extends"),
    [
        ("esm-infra", True),
        ("esm-infra-legacy", True),
        ("pro", True),
        ("els-7", True),
        ("ltss", True),
        ("epel", True),
        ("testing", True),
        ("package-hub", True),
        ("fips", False),
        ("fips-updates", False),
        ("realtime", False),
        ("nvidia-bluefield", False),
        ("ksplice", False),
        ("sig-cloud", False),
        ("eus-9.2", False),
        ("eus_long_life-6.4", False),
        ("aus-8.2", False),
        ("e4s-8.4", False),
        ("tus-8.4", False),
    ],
)
def test_channels_extend_the_release_or_are_apart(name: str, extends: bool) -> None:
    known = channel(name)
    assert known.extends == extends
    assert known.why


@pytest.mark.parametrize(
    ("source", "version", "mark"),
    [
        ("openssl", "1.1.1f-1ubuntu2.20", ""),
        ("openssl", "1.1.1f-1ubuntu2.fips.22", "fips"),
        ("openssl", "3.0.2-0ubuntu1.10+Fips1", "fips"),
        ("gnutls", "10:3.6.16-4.0.1.el8_fips", "fips"),
        ("libgd2", "2.2.5-4ubuntu0.5+esm2", "esm"),
        ("libgd2", "2.2.5-4ubuntu0.5~esm1", "esm"),
        ("libesmtp", "1.0.6-4.3build1", ""),
        ("glibc", "2:2.28-236.0.1.ksplice2.el8_10.13", "ksplice"),
        ("kernel", "4.18.0-425.10.1.el8_7.cloud", "cloud"),
        ("cloud-init", "22.1-1.el9.cloudy", ""),
        ("linux-realtime", "5.15.0-1032.35", "realtime"),
        ("linux-signed-fips", "5.4.0-1026.30", "fips"),
        ("linux-nvidia-bluefield", "5.15.0-1050.52", "bluefield"),
        ("linux", "5.15.0-91.101", ""),
    ],
)
def test_a_channel_s_builds_show_by_version_or_name(source: str, version: str, mark: str) -> None:
    assert build(package(source, version)) == mark
