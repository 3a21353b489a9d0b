"""Each update by itself: which version, and what speaks against it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from suture.core.inventory import OperatingSystem
from suture.core.planning.plan import HeldBack
from suture.core.selection.ledger import Reason
from tests.unit.core.offers import (
    ACME,
    SECURITY,
    STABLE,
    detail,
    offer,
    reason,
    seen,
    taken,
    update,
)

NGINX = ("nginx", "2")


def test_a_security_update_is_selected() -> None:
    selection = taken(seen(update(offer("nginx"))))
    (change,) = selection.changes
    assert (change.key, change.before, change.after) == ("nginx:amd64", "1", "2")
    assert change.origin == "Debian-Security:bookworm-security/main"
    assert change.sha256 == offer("nginx").sha256
    assert reason(selection) is Reason.SELECTED


def test_others_are_taken_only_where_the_policy_wants_them() -> None:
    host = seen(update(offer("nginx", origin=STABLE)))
    assert reason(taken(host)) is Reason.NOT_SECURITY
    assert reason(taken(host, security_only=False)) is Reason.SELECTED


def test_the_candidate_is_taken_where_it_holds_a_security_version() -> None:
    versions = (offer("nginx", "3", STABLE), offer("nginx", "2"))
    (change,) = taken(seen(update(*versions))).changes
    assert change.after == "3"


def test_a_security_version_newer_than_the_candidate_is_taken() -> None:
    versions = (offer("nginx", "3"), offer("nginx", "2.5"), offer("nginx", "2", STABLE))
    (change,) = taken(seen(update(*versions, candidate="2"))).changes
    assert change.after == "3"


def test_a_third_party_s_newer_version_does_not_hide_the_distribution_s() -> None:
    versions = (offer("nginx", "9", ACME), offer("nginx", "2"))
    (change,) = taken(seen(update(*versions))).changes
    assert change.after == "2"


@pytest.mark.parametrize("candidate", [None, "1"])
def test_pins_are_kept(candidate: str | None) -> None:
    host = seen(update(offer("nginx"), candidate=candidate))
    assert reason(taken(host)) is Reason.PINNED


def test_a_pinned_package_takes_its_candidate_alone() -> None:
    versions = (offer("nginx", "3"), offer("nginx", "2", STABLE))
    host = seen(update(*versions, candidate="2"), pinned=("nginx:amd64",))
    assert reason(taken(host)) is Reason.PINNED


def test_holds_are_kept() -> None:
    host = seen(update(offer("nginx")), held=("nginx:amd64",))
    assert reason(taken(host)) is Reason.HELD


def test_what_is_rolled_out_by_share_waits() -> None:
    assert reason(taken(seen(update(offer("nginx"), deferred=True)))) is Reason.PHASED
    assert reason(taken(seen(update(offer("nginx", phased_percent=20))))) is Reason.PHASED


@pytest.mark.parametrize("pattern", ["nginx", "ngin?", "web-*"])
def test_what_is_excluded_by_package_or_source(pattern: str) -> None:
    host = seen(update(offer("nginx", source="web-server")))
    selection = taken(host, exclude=("curl", pattern))
    assert (reason(selection), detail(selection)) == (
        Reason.EXCLUDED,
        f"the policy excludes {pattern}",
    )


def test_third_parties_are_trusted_by_name_only() -> None:
    """An archive that calls itself a security archive is not one for that."""
    host = seen(update(offer("nginx", origin=ACME)))
    assert reason(taken(host)) is Reason.THIRD_PARTY
    assert reason(taken(host, trusted_origins=("Acme:*",))) is Reason.SELECTED


def test_a_distribution_that_nobody_knows_has_no_archives_of_its_own() -> None:
    host = seen(update(offer("nginx")), os=OperatingSystem("other", "1"))
    assert reason(taken(host)) is Reason.THIRD_PARTY


def test_a_policy_may_call_an_archive_a_security_archive() -> None:
    host = seen(update(offer("nginx", origin=STABLE)))
    assert reason(taken(host, security_origins=("Debian:bookworm/*",))) is Reason.SELECTED


@pytest.mark.parametrize("missing", [{"sha256": ""}, {"size": 0}, {"filename": ""}])
def test_what_cannot_be_proved_to_be_the_same_bytes_is_left(missing: dict[str, Any]) -> None:
    assert reason(taken(seen(update(offer("nginx", **missing))))) is Reason.UNVERIFIED


def test_what_hurt_a_host_is_held_back() -> None:
    selection = taken(seen(update(offer("nginx"))), held_back=[HeldBack(*NGINX, "no answer")])
    assert (reason(selection), detail(selection)) == (Reason.HELD_BACK, "no answer")
    other = taken(seen(update(offer("nginx"))), held_back=[HeldBack("nginx", "3", "no answer")])
    assert reason(other) is Reason.SELECTED


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ({}, Reason.AGE_UNKNOWN),
        ({NGINX: date(2026, 2, 28)}, Reason.TOO_YOUNG),
        ({NGINX: date(2026, 3, 9)}, Reason.TOO_YOUNG),
        ({NGINX: date(2026, 2, 27)}, Reason.SELECTED),
    ],
)
def test_age(published: dict[tuple[str, str], date], expected: Reason) -> None:
    host = seen(update(offer("nginx")))
    assert reason(taken(host, published=published, min_age_days=3)) is expected
    assert reason(taken(host, published=published)) is Reason.SELECTED


def test_no_downgrade_whatever_the_host_says() -> None:
    selection = taken(seen(update(offer("nginx", "0.9"))))
    assert (reason(selection), detail(selection)) == (Reason.BLOCKED, "0.9 is not newer than 1")


def test_a_change_of_architecture_is_left_to_a_person() -> None:
    version = offer("nginx", arch="all")
    host = seen(replace(update(version), arch="amd64"))
    assert reason(taken(host)) is Reason.BLOCKED


def test_the_security_archive_is_the_one_named() -> None:
    version = offer("nginx", origin=STABLE)
    both = replace(version, origins=(STABLE, SECURITY))
    (change,) = taken(seen(update(both))).changes
    assert change.origin == "Debian-Security:bookworm-security/main"
