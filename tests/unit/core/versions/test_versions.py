"""One way to ask for the order of any package manager."""

from __future__ import annotations

import pytest

from suture.core.versions import MAX_LENGTH, Scheme, compare, is_valid, key, order, scheme_of


@pytest.mark.parametrize(
    ("release", "scheme"),
    [
        ("debian:12", Scheme.DPKG),
        ("ubuntu:24.04", Scheme.DPKG),
        ("somebodys-own:1", Scheme.DPKG),
        ("almalinux:9", Scheme.RPM),
        ("opensuse-leap:15.6", Scheme.RPM),
        ("alpine:3.20", Scheme.APK),
        ("arch:", Scheme.PACMAN),
    ],
)
def test_a_release_tells_its_scheme(release: str, scheme: Scheme) -> None:
    assert scheme_of(release) is scheme


def test_the_schemes_disagree() -> None:
    assert compare("1.0a", "1.0", Scheme.RPM) == 1
    assert compare("1.0a", "1.0", Scheme.PACMAN) == -1
    assert compare("1.0_rc1", "1.0", Scheme.APK) == -1
    assert compare("1.0+b", "1.0", Scheme.DPKG) == 1


@pytest.mark.parametrize("scheme", Scheme)
def test_what_is_too_long_is_no_version(scheme: Scheme) -> None:
    assert is_valid("1" * MAX_LENGTH, scheme)
    assert not is_valid("1" * (MAX_LENGTH + 1), scheme)
    with pytest.raises(ValueError, match="not a version"):
        key("1" * (MAX_LENGTH + 1), scheme)


@pytest.mark.parametrize("scheme", Scheme)
def test_what_is_not_a_version_is_older_than_any(scheme: Scheme) -> None:
    assert order("not a version", scheme) < order("0", scheme)
