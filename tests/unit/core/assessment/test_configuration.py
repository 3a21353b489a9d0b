"""What is wrong with a host that no patch closes, and what is not known about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from suture.core.assessment.configuration import ConfigurationFinding, ConfigurationRules, examine
from suture.core.intelligence.advisories import Severity
from suture.core.inventory import (
    Configuration,
    Exposure,
    OperatingSystem,
    Origin,
    StaleProcess,
    Updater,
)
from tests.unit.core.builders import host, inventory

NOW = datetime(2026, 11, 24, tzinfo=UTC)
RULES = ConfigurationRules(max_pending_s=14 * 86400, max_indexes_age_s=7 * 86400)
SECURITY = Origin("Debian", "Debian-Security", "stable-security", "bookworm-security", "main")


def examined(
    *, days: int = 0, exposure: Exposure = Exposure.INTERNAL, **fields: Any
) -> list[ConfigurationFinding]:
    defaults: dict[str, Any] = {"archives": (SECURITY,), "configuration": Configuration({}, ())}
    return list(
        examine(
            host("web", exposure=exposure),
            inventory("web", **defaults | fields),
            RULES,
            unchanged_since=NOW - timedelta(days=days),
            now=NOW,
        )
    )


def checks(**fields: Any) -> list[str]:
    return [one.check for one in examined(**fields)]


def test_a_well_kept_host_has_none() -> None:
    assert examined() == []


@pytest.mark.parametrize(
    ("release", "severity"),
    [
        (OperatingSystem("debian", "10"), Severity.CRITICAL),
        (OperatingSystem("ubuntu", "20.04"), Severity.HIGH),
        (OperatingSystem("plan9", "4"), Severity.UNKNOWN),
    ],
)
def test_a_release_past_its_end_of_life(release: OperatingSystem, severity: Severity) -> None:
    (one,) = examined(os=release)
    assert (one.check, one.severity) == ("end-of-life", severity)
    assert one.unknown is (severity is Severity.UNKNOWN)


def test_releases_with_a_minor_version_live_as_long_as_their_major_one() -> None:
    assert checks(os=OperatingSystem("almalinux", "9.4")) == []


def test_an_end_that_is_near_is_told_in_time() -> None:
    (one,) = examine(
        host("web"),
        inventory("web", archives=(SECURITY,), configuration=Configuration({}, ())),
        RULES,
        unchanged_since=datetime(2028, 6, 1, tzinfo=UTC),
        now=datetime(2028, 6, 1, tzinfo=UTC),
    )
    assert one.title.endswith("for 29 more days, until 2028-06-30")


def test_no_security_archive() -> None:
    assert checks(archives=(Origin("Debian", "Debian", "stable", "bookworm", "main"),)) == [
        "no-security-archive"
    ]


@pytest.mark.parametrize(("age", "unknown"), [(None, True), (9 * 86400.0, False)])
def test_old_package_lists(age: float | None, unknown: bool) -> None:
    (one,) = examined(indexes_age_s=age)
    assert (one.check, one.unknown) == ("old-package-lists", unknown)


def test_archives_without_a_signature() -> None:
    where = "/etc/apt/sources.list.d/x.list:deb [trusted=yes] http://x ./"
    (one,) = examined(configuration=Configuration({}, (where,)))
    assert (one.check, one.severity) == ("unauthenticated-archive", Severity.CRITICAL)
    assert where in one.title


def test_what_was_not_collected_is_not_well() -> None:
    (one,) = examined(configuration=None)
    assert (one.check, one.unknown) == ("unauthenticated-archive", True)


def test_other_updaters() -> None:
    updaters = (Updater("unattended-upgrades", True, True), Updater("packagekit", False, False))
    (one,) = examined(updaters=updaters)
    assert one.title.startswith("unattended-upgrades may change")


@pytest.mark.parametrize(("days", "expected"), [(13, []), (15, ["pending-reboot"])])
def test_a_reboot_that_has_been_due_too_long(days: int, expected: list[str]) -> None:
    assert checks(days=days, reboot_required=True) == expected


def test_a_restart_that_has_been_due_too_long() -> None:
    stale = (StaleProcess(1, "nginx", "nginx.service", "/lib/libssl.so.3"),)
    (one,) = examined(days=30, stale=stale)
    assert one.title == "nginx.service still run what was replaced, for at least 30 days"


PASSWORDS = {"passwordauthentication": "yes", "permitrootlogin": "yes"}


@pytest.mark.parametrize(
    ("settings", "exposure", "expected"),
    [
        (PASSWORDS, Exposure.INTERNAL, [("sshd-root-password", Severity.HIGH)]),
        (PASSWORDS, Exposure.PUBLIC, [("sshd-root-password", Severity.CRITICAL)]),
        ({"passwordauthentication": "yes"}, Exposure.PUBLIC, [("sshd-password", Severity.MEDIUM)]),
        ({"passwordauthentication": "yes"}, Exposure.INTERNAL, []),
        (
            {"permitemptypasswords": "yes"},
            Exposure.INTERNAL,
            [("sshd-empty-passwords", Severity.CRITICAL)],
        ),
        (
            {"ciphers": "aes256-gcm@openssh.com,3des-cbc"},
            Exposure.INTERNAL,
            [("sshd-weak-ciphers", Severity.MEDIUM)],
        ),
    ],
)
def test_risky_settings_of_sshd(
    settings: dict[str, str], exposure: Exposure, expected: list[tuple[str, Severity]]
) -> None:
    found = examined(configuration=Configuration(settings, ()), exposure=exposure)
    assert [(one.check, one.severity) for one in found] == expected


def test_the_gravest_comes_first() -> None:
    found = examined(
        archives=(), updaters=(Updater("packagekit", True, True),), indexes_age_s=9 * 86400.0
    )
    assert [one.severity for one in found] == [Severity.CRITICAL, Severity.HIGH, Severity.LOW]


def test_rpm_repositories_have_security_updates_without_being_security_archives() -> None:
    alma: dict[str, Any] = {"package_manager": "rpm", "os": OperatingSystem("almalinux", "9.4")}
    assert checks(archives=(Origin(label="BaseOS", archive="baseos"),), **alma) == []
    assert checks(archives=(), **alma) == ["no-repository"]
    (old,) = examined(archives=(Origin(label="BaseOS"),), indexes_age_s=None, **alma)
    assert (old.check, old.remedy) == ("old-package-lists", "Refresh them: dnf makecache")
