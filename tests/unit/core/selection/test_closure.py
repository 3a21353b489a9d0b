"""What an update brings along, and what forbids it."""

from __future__ import annotations

from typing import Any

import pytest

from suture.core.planning.plan import HeldBack
from suture.core.selection.ledger import Action, Reason, Selection
from tests.unit.core.builders import package
from tests.unit.core.offers import STABLE, detail, offer, reason, reasons, seen, taken, update


def changed(selection: Selection) -> list[str]:
    return [change.key for change in selection.changes]


@pytest.mark.parametrize(
    "depends", ["libc6 (>= 2.36)", "libc6:any", "nothing (>= 1) | libc6", "perlapi-5.36.0", ""]
)
def test_needs_that_the_host_meets_already(depends: str) -> None:
    host = seen(update(offer("nginx", depends=depends)), installed=[package("libc6", "2.36-9")])
    assert changed(taken(host)) == ["nginx:amd64"]


def test_an_update_that_another_one_needs_is_required() -> None:
    host = seen(
        update(offer("nginx", depends="nginx-common (>= 2)")),
        update(offer("nginx-common", origin=STABLE)),
        update(offer("tzdata", origin=STABLE)),
    )
    selection = taken(host)
    assert changed(selection) == ["nginx-common:amd64", "nginx:amd64"]
    assert reason(selection, "nginx-common") is Reason.REQUIRED
    assert detail(selection, "nginx-common") == "nginx needs it"
    assert reason(selection, "tzdata") is Reason.NOT_SECURITY
    assert [change.reason for change in selection.changes] == [Reason.REQUIRED, Reason.SELECTED]


def test_a_need_that_is_held_blocks_with_the_reason() -> None:
    host = seen(
        update(offer("nginx", pre_depends="nginx-common (>= 2)")),
        update(offer("nginx-common")),
        held=("nginx-common:amd64",),
    )
    selection = taken(host)
    assert selection.changes == ()
    assert reason(selection) is Reason.BLOCKED
    assert detail(selection) == (
        "nginx needs nginx-common (>= 2): nginx-common:amd64 stays at 1 (held on the host)"
    )


def test_blocking_goes_all_the_way_up() -> None:
    host = seen(
        update(offer("a", depends="b (>= 2)")),
        update(offer("b", depends="c (>= 2)")),
        update(offer("c"), candidate=None),
        update(offer("d", depends="e (= 2)")),
        update(offer("e", depends="d (= 2)")),
    )
    selection = taken(host)
    assert changed(selection) == ["d:amd64", "e:amd64"]
    assert [reason(selection, name) for name in "abc"] == [
        Reason.BLOCKED,
        Reason.BLOCKED,
        Reason.PINNED,
    ]


@pytest.mark.parametrize(
    "depends", ["libnew (>= 1)", "libnew", "absent (>= 1) | libnew", "virtual"]
)
def test_new_packages_come_only_where_the_policy_allows(depends: str) -> None:
    new = offer("libnew", "1", STABLE, provides="virtual")
    host = seen(update(offer("nginx", depends=depends)), installable=(new,))
    refused = taken(host)
    assert (refused.changes, reason(refused)) == ((), Reason.INSTALLS)
    selection = taken(host, allow_new_packages=True)
    install, upgrade = selection.changes
    assert (install.key, install.before, install.action) == ("libnew:amd64", None, Action.INSTALL)
    assert upgrade.action is Action.UPGRADE
    assert reasons(selection) == {"nginx:amd64": Reason.SELECTED}


def test_a_new_package_that_is_held_back_does_not_come() -> None:
    host = seen(update(offer("nginx", depends="libnew")), installable=(offer("libnew", "1"),))
    held_back = [HeldBack("libnew", "1", "broke web-1")]
    selection = taken(host, held_back=held_back, allow_new_packages=True)
    assert (selection.changes, reason(selection)) == ((), Reason.BLOCKED)
    assert detail(selection).endswith("libnew:amd64 is left out (broke web-1)")


def test_what_nobody_offers_blocks() -> None:
    selection = taken(seen(update(offer("nginx", depends="libnew (>= 1)"))))
    assert detail(selection) == "nginx needs libnew (>= 1), which no enabled archive offers"


def test_what_cannot_be_read_blocks() -> None:
    assert reason(taken(seen(update(offer("nginx", depends="a (?? 1)"))))) is Reason.BLOCKED


@pytest.mark.parametrize("field", ["breaks", "conflicts"])
def test_nothing_is_removed(field: str) -> None:
    other = package("other", "1")
    relations: dict[str, Any] = {field: "other (<< 2)"}
    host = seen(update(offer("nginx", **relations)), installed=[other])
    selection = taken(host)
    assert (selection.changes, reason(selection)) == ((), Reason.REMOVES)
    assert detail(selection) == "nginx would remove other:amd64 1"


def test_what_would_be_broken_changes_along() -> None:
    other = update(offer("other", origin=STABLE))
    selection = taken(seen(update(offer("nginx", breaks="other (<< 2)")), other))
    assert changed(selection) == ["nginx:amd64", "other:amd64"]
    assert reason(selection, "other") is Reason.REQUIRED


def test_what_a_new_version_cannot_be_with() -> None:
    host = seen(update(offer("nginx", breaks="other (>= 2)")), update(offer("other")))
    selection = taken(host)
    assert reason(selection) is Reason.REMOVES
    assert changed(selection) == ["other:amd64"]


def test_packages_do_not_exclude_themselves() -> None:
    version = offer("nginx", provides="httpd", conflicts="httpd, nginx (<< 2)")
    assert changed(taken(seen(update(version)))) == ["nginx:amd64"]


def test_one_package_in_two_architectures_changes_in_both_or_in_none() -> None:
    both = (update(offer("libc6")), update(offer("libc6", arch="i386")))
    assert changed(taken(seen(*both))) == ["libc6:amd64", "libc6:i386"]
    selection = taken(seen(*both, held=("libc6:i386",)))
    assert (selection.changes, reason(selection, "libc6")) == ((), Reason.BLOCKED)
    installed = [package("libc6", "2", arch="i386")]
    assert changed(taken(seen(both[0], installed=installed))) == ["libc6:amd64"]


def test_packages_of_a_source_that_name_one_another_s_version_go_together() -> None:
    base = update(offer("perl-base", source="perl"))
    perl = update(offer("perl", depends="perl-base (= 2)"))
    assert changed(taken(seen(base, perl))) == ["perl-base:amd64", "perl:amd64"]
    selection = taken(seen(base, perl, held=("perl:amd64",)))
    assert (selection.changes, reason(selection, "perl-base")) == ((), Reason.BLOCKED)
    assert detail(selection, "perl-base") == (
        "perl:amd64 must change with perl-base: perl:amd64 stays at 1 (held on the host)"
    )


def test_a_need_of_another_architecture() -> None:
    host = seen(update(offer("wine", depends="libc6 (>= 2)", arch="i386")), installed=[
        package("libc6", "2"), package("libc6", "1", arch="i386"),
    ])  # fmt: skip
    assert reasons(taken(host)) == {"wine:i386": Reason.BLOCKED}
    satisfied = seen(update(offer("wine", depends="tzdata", arch="i386")), installed=[
        package("tzdata", "1", arch="all"),
    ])  # fmt: skip
    assert changed(taken(satisfied)) == ["wine:i386"]


def test_a_long_chain_of_blocked_updates_tells_each_its_own_reason() -> None:
    links = [offer(f"p{n}", depends=f"p{n + 1} (>= 2)") for n in range(20)]
    selection = taken(seen(*map(update, links), update(offer("p20")), held=("p20:amd64",)))
    assert selection.changes == ()
    assert detail(selection, "p19") == (
        "p19 needs p20 (>= 2): p20:amd64 stays at 1 (held on the host)"
    )
    assert detail(selection, "p0") == "p0 needs p1 (>= 2): p1:amd64 stays at 1 (blocked)"
