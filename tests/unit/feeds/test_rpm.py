"""Names and versions of rpm packages, and advisories that differ by architecture or by module."""

from __future__ import annotations

import pytest

from suture.core.intelligence.advisories import Advisory, Affected, FixState
from suture.feeds.rpm import (
    UNKNOWN_STREAM,
    Nevra,
    Said,
    affected,
    evr,
    is_debug,
    only_stream,
    split_nevra,
    with_streams,
)
from suture.reading import UnreadableError


@pytest.mark.parametrize(
    ("text", "nevra"),
    [
        ("delve-0:1.25.2-1.el10_1.aarch64.rpm", Nevra("delve", "1.25.2-1.el10_1", "aarch64")),
        ("bind-libs-32:9.11-3.el8.x86_64", Nevra("bind-libs", "32:9.11-3.el8", "x86_64")),
        ("libldb2-2.8.0+git.1-1.1", Nevra("libldb2", "2.8.0+git.1-1.1", "")),
        ("389-ds-base-2.0-1.el9", Nevra("389-ds-base", "2.0-1.el9", "")),
    ],
)
def test_a_package_s_name_is_taken_apart(text: str, nevra: Nevra) -> None:
    assert split_nevra(text, name="x") == nevra


@pytest.mark.parametrize("text", ["", "bash", "bash-5", "-1-2", "bash-x:5-1", "ba sh-5-1", "a--1"])
def test_what_names_no_version_is_refused(text: str) -> None:
    with pytest.raises(UnreadableError):
        split_nevra(text, name="x")


@pytest.mark.parametrize(
    ("epoch", "written"),
    [("0", "1-2"), (None, "1-2"), ("", "1-2"), ("7", "7:1-2"), ("007", "7:1-2")],
)
def test_an_epoch_of_zero_is_left_out(epoch: str | None, written: str) -> None:
    assert evr(epoch, "1", "2", name="x") == written


def test_packages_for_debuggers_are_told_from_others() -> None:
    assert is_debug("bash-debuginfo")
    assert is_debug("kernel-debuginfo-common-x86_64")
    assert not is_debug("kernel-debug-core")


def said(arch: str, fixed: str, module: str = "") -> Said:
    return Said("rocky:9", "bash", FixState.FIXED, fixed=fixed, arch=arch, module=module)


def fixes(*all_said: Said) -> list[tuple[str | None, tuple[str, ...]]]:
    return [(one.fixed, one.archs) for one in affected(all_said)]


def test_a_fix_that_is_the_same_everywhere_names_no_architectures() -> None:
    assert fixes(said("x86_64", "1-2"), said("aarch64", "1-2")) == [("1-2", ())]


def test_fixes_that_differ_by_architecture_name_them() -> None:
    found = fixes(said("x86_64", "1-2"), said("i686", "1-2"), said("aarch64", "1-3"))
    assert found == [("1-2", ("i686", "x86_64")), ("1-3", ("aarch64",))]


def test_two_fixes_on_one_architecture_are_not_a_matter_of_architecture() -> None:
    assert fixes(said("x86_64", "1-2"), said("x86_64", "1-3")) == [("1-2", ()), ("1-3", ())]


def test_what_is_built_for_no_architecture_names_none() -> None:
    assert fixes(said("noarch", "1-2"), said("aarch64", "1-3")) == [("1-2", ()), ("1-3", ())]


@pytest.mark.parametrize(
    ("streams", "title", "stream"),
    [
        ({"nodejs:18"}, "nodejs security update", "nodejs:18"),
        ({"virt:rhel", "virt-devel:rhel"}, "Low: virt:rhel and virt-devel:rhel", "virt:rhel"),
        ({"mariadb:10.3", "mariadb:10.5"}, "Moderate: mariadb:10.5 update", "mariadb:10.5"),
        ({"pki-core:10.6", "pki-deps:10.6"}, "pki-core:10.6 and pki-deps:10.6", ""),
        (set(), "nodejs security update", ""),
    ],
)
def test_a_stream_is_taken_only_where_it_is_clear(
    streams: set[str], title: str, stream: str
) -> None:
    assert only_stream(streams, title) == stream


@pytest.mark.parametrize(
    ("title", "module", "note"),
    [
        ("Important: 389-ds:1.4 security update", "389-ds:1.4", ""),
        ("Important: 389-ds security update", "", UNKNOWN_STREAM),
    ],
)
def test_a_modular_package_takes_the_stream_from_the_title(
    title: str, module: str, note: str
) -> None:
    modular = Affected(
        "almalinux:8", "389-ds-base", FixState.FIXED, fixed="1.4-1.module_el8.9.0+1+a"
    )
    plain = Affected("almalinux:8", "bash", FixState.FIXED, fixed="5-1.el8")
    advisory = Advisory("X", "almalinux", ("CVE-2024-1",), (modular, plain), summary=title)
    found = with_streams(advisory).affected
    assert [(one.module, one.note) for one in found] == [(module, note), ("", "")]
