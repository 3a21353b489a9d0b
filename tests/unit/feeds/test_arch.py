"""Arch's groups of vulnerabilities as advisories."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds import arch
from suture.feeds.feed import FeedFile
from suture.reading import UnreadableError

RECORDED = Path(__file__).parents[2] / "recorded/feeds/arch"


def read(path: Path) -> list[Advisory]:
    return list(arch.parse(FeedFile("issues/all.json", str(path))))


def test_groups_as_advisories() -> None:
    gdk, tiff = read(RECORDED / "all.json")
    assert gdk == Advisory(
        id="AVG-1",
        publisher="arch",
        cves=("CVE-2016-6352",),
        affected=(
            Affected("arch:", "lib32-gdk-pixbuf2", FixState.FIXED, fixed="2.36.0+2+ga7c869a-1"),
        ),
        severity=Severity.CRITICAL,
        summary="arbitrary code execution",
        url="https://security.archlinux.org/AVG-1",
    )
    assert tiff.cves == ("CVE-2016-10095", "CVE-2015-7554")


@pytest.mark.parametrize(
    ("status", "fixed", "expected"),
    [
        ("Vulnerable", None, Affected("arch:", "curl", FixState.AFFECTED)),
        ("Fixed", "8.0-1", Affected("arch:", "curl", FixState.FIXED, fixed="8.0-1")),
        (
            "Testing",
            "8.0-1",
            Affected("arch:", "curl", FixState.FIXED, fixed="8.0-1", channel="testing"),
        ),
        (
            "Fixed",
            None,
            Affected(
                "arch:",
                "curl",
                FixState.UNDER_INVESTIGATION,
                note="the fixed version cannot be read: nothing",
            ),
        ),
        ("Not affected", None, Affected("arch:", "curl", FixState.NOT_AFFECTED)),
        ("Unknown", None, Affected("arch:", "curl", FixState.UNDER_INVESTIGATION)),
        (
            "Pondered",
            None,
            Affected("arch:", "curl", FixState.UNDER_INVESTIGATION, note="status 'Pondered'"),
        ),
    ],
)
def test_what_the_status_means(
    tmp_path: Path, status: str, fixed: str | None, expected: Affected
) -> None:
    path = tmp_path / "all.json"
    group = {"name": "AVG-2", "packages": ["curl"], "status": status, "fixed": fixed}
    path.write_text(json.dumps([group]))
    [advisory] = read(path)
    assert advisory.affected == (expected,)


@pytest.mark.parametrize("content", ["invalid", "{}", '[{"name": "AVG-1"}]', "[1]"])
def test_a_broken_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "all.json"
    path.write_text(content)
    with pytest.raises(UnreadableError, match=r"issues/all\.json"):
        read(path)
