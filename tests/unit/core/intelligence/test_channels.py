"""Which channels speak for a release's hosts, and which packages are a channel's own builds."""

from __future__ import annotations

import pytest

from suture.core.intelligence.channels import build, channel, is_of, minor, stream
from suture.core.inventory import OperatingSystem, Origin
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


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("eus-9.2", "9.2"),
        ("e4s-8.4", "8.4"),
        ("eus_long_life-6.4", "6.4"),
        ("els-7", ""),
        ("aus-8", ""),
        ("esm-infra", ""),
    ],
)
def test_a_stream_names_its_minor_release(name: str, of: str) -> None:
    assert minor(name) == of


@pytest.mark.parametrize(
    ("version", "repositories", "stays"),
    [
        (
            "9.2",
            ["rhel-9-for-x86_64-baseos-eus-rpms", "rhel-9-for-x86_64-appstream-eus-rpms"],
            True,
        ),
        ("8.4", ["rhel-8-for-x86_64-baseos-tus-rpms"], True),
        ("8.6", ["rhui-rhel-8-for-x86_64-baseos-e4s-rhui-rpms"], True),
        ("7.7", ["rhel-7-server-aus-rpms", "epel"], True),
        ("9.2", ["rhel-9-for-x86_64-baseos-rpms"], False),
        ("9.2", ["rhel-9-for-x86_64-baseos-eus-rpms", "rhel-9-for-x86_64-baseos-rpms"], False),
        ("7.7", ["rhel-7-server-aus-rpms", "rhel-7-server-rpms"], False),
        ("9", ["rhel-9-for-x86_64-baseos-eus-rpms"], False),
        ("9.2", [], False),
    ],
)
def test_repositories_tell_whether_a_host_stays_on_its_minor_release(
    version: str, repositories: list[str], stays: bool
) -> None:
    archives = [Origin(archive=one) for one in repositories]
    assert stream(OperatingSystem("rhel", version), archives) == (version if stays else "")
    assert stream(OperatingSystem("almalinux", version), archives) == ""


@pytest.mark.parametrize(
    ("version", "of_stream"),
    [
        ("5.14.0-284.30.1.el9_2", True),
        ("1.20.1-16.el9", True),
        ("1:1.20.1-16.module+el9.2.0+1+a", True),
        ("5.14.0-427.16.1.el9_4", False),
        ("1:1.20.1-16.module+el9.4.0+1+a", False),
    ],
)
def test_what_was_built_for_a_later_release_is_none_of_the_stream_s(
    version: str, of_stream: bool
) -> None:
    assert is_of(package(version=version), "9.2") == of_stream
    assert not is_of(package(version=version), "")
