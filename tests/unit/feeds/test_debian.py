"""Debian's tracker and lists: each of its words becomes the state that it means."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds import debian
from suture.feeds.feed import FeedFile
from suture.reading import UnreadableError

RECORDED = Path(__file__).parents[2] / "recorded/feeds/debian"
DATA = Path(os.environ.get("SUTURE_TEST_DATA", Path(__file__).parents[4] / "shared/data"))


def tracked(tmp_path: Path, **said: Any) -> Affected:
    """What becomes of one release's entry in the tracker."""
    content = {"curl": {"CVE-2024-1000": {"releases": {"bookworm": said}}}}
    path = tmp_path / "json"
    path.write_text(json.dumps(content))
    [advisory] = debian.parse_tracker(FeedFile("json", str(path)))
    [affected] = advisory.affected
    return affected


def listed(path: Path) -> dict[str, Advisory]:
    return {one.id: one for one in debian.parse_list(FeedFile(path.name, str(path)))}


def test_the_tracker_as_advisories() -> None:
    path = RECORDED / "tracker.json"
    advisories = {one.id: one for one in debian.parse_tracker(FeedFile("json", str(path)))}
    assert list(advisories) == [
        "CVE-2012-0833",
        "CVE-2016-5405",
        "CVE-2016-5416",
        "TEMP-0000000-0CA7E3",
    ]
    assert advisories["CVE-2016-5416"] == Advisory(
        id="CVE-2016-5416",
        publisher="debian",
        cves=("CVE-2016-5416",),
        affected=(
            Affected("debian:11", "389-ds-base", FixState.WILL_NOT_FIX, note="Minor issue"),
            Affected("debian:", "389-ds-base", FixState.AFFECTED),
        ),
        summary="389 Directory Server in Red Hat Enterprise Linux Desktop 6 through 7, "
        "Red Hat Enterprise Linux HPC Node 6 through 7, Red",
        url="https://security-tracker.debian.org/tracker/CVE-2016-5416",
    )
    never, fixed = advisories["CVE-2012-0833"], advisories["CVE-2016-5405"]
    assert {one.state for one in never.affected} == {FixState.NOT_AFFECTED}
    assert [one.fixed for one in fixed.affected] == ["1.3.5.15-1", "1.3.5.15-1"]


@pytest.mark.parametrize(
    ("said", "state", "note"),
    [
        ({"status": "resolved", "fixed_version": "0"}, FixState.NOT_AFFECTED, ""),
        ({"status": "resolved", "fixed_version": "7.1-1"}, FixState.FIXED, ""),
        (
            {"status": "resolved", "fixed_version": "a version"},
            FixState.UNDER_INVESTIGATION,
            "the fixed version cannot be read: a version",
        ),
        ({"status": "open"}, FixState.AFFECTED, ""),
        (
            {"status": "open", "nodsa": "Minor issue", "nodsa_reason": ""},
            FixState.AFFECTED,
            "Minor issue",
        ),
        (
            {"status": "open", "nodsa": "Minor issue", "nodsa_reason": "postponed"},
            FixState.AFFECTED,
            "postponed: Minor issue",
        ),
        (
            {"status": "open", "nodsa": "Too intrusive", "nodsa_reason": "ignored"},
            FixState.WILL_NOT_FIX,
            "Too intrusive",
        ),
        (
            {"status": "open", "urgency": "end-of-life", "nodsa": "Not supported"},
            FixState.END_OF_LIFE,
            "Not supported",
        ),
        (
            {"status": "open", "urgency": "unimportant"},
            FixState.AFFECTED,
            "not a security problem in Debian's eyes",
        ),
        (
            {"status": "open", "next_point_update": True},
            FixState.AFFECTED,
            "a fix comes with the next point release",
        ),
        ({"status": "undetermined"}, FixState.UNDER_INVESTIGATION, ""),
        ({"status": "pondered"}, FixState.UNDER_INVESTIGATION, "status 'pondered'"),
    ],
)
def test_what_the_tracker_s_words_mean(
    tmp_path: Path, said: dict[str, Any], state: FixState, note: str
) -> None:
    affected = tracked(tmp_path, **said)
    assert (affected.release, affected.state, affected.note) == ("debian:12", state, note)


@pytest.mark.parametrize(
    ("urgency", "expected"),
    [
        ("unimportant", Severity.LOW),
        ("low**", Severity.LOW),
        ("medium", Severity.MEDIUM),
        ("high", Severity.HIGH),
        ("not yet assigned", Severity.UNKNOWN),
    ],
)
def test_urgency_is_severity(tmp_path: Path, urgency: str, expected: Severity) -> None:
    assert tracked(tmp_path, status="open", urgency=urgency).severity is expected


def test_a_release_of_the_future_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "json"
    path.write_text('{"curl": {"CVE-2024-1000": {"releases": {"zurg": {"status": "open"}}}}}')
    [advisory] = debian.parse_tracker(FeedFile("json", str(path)))
    assert [one.release for one in advisory.affected] == ["debian:zurg"]


def test_the_list_of_advisories() -> None:
    advisories = listed(RECORDED / "DSA-list")
    assert advisories["DSA-5380-1"] == Advisory(
        id="DSA-5380-1",
        publisher="debian",
        cves=("CVE-2023-1393",),
        affected=(
            Affected("debian:11", "xorg-server", FixState.FIXED, fixed="2:1.20.11-1+deb11u6"),
        ),
        published=date(2023, 3, 29),
        summary="xorg-server - security update",
        url="https://security-tracker.debian.org/tracker/DSA-5380-1",
    )
    assert advisories["DSA-2275-1"].affected[1] == Affected(
        "debian:5", "openoffice.org", FixState.NOT_AFFECTED, note="Vulnerable code not present"
    )
    assert advisories["DSA-3699-1"].affected == (
        Affected("debian:8", "virtualbox", FixState.END_OF_LIFE),
    )
    assert advisories["DSA-892-1"].affected[0].severity is Severity.MEDIUM
    assert advisories["DSA-4205-1"].affected == ()
    assert advisories["DSA-5356-2"].cves == ()


def test_the_list_of_lts_advisories() -> None:
    assert [one.fixed for one in listed(RECORDED / "DLA-list")["DLA-3379-1"].affected] == [
        "3.20230214.1~deb10u1"
    ]


def test_unknown_tags_and_missing_versions_are_under_investigation(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(
        "[01 Jan 2024] DSA-6000-1 a - update\n\t{CVE-2024-1000}\n"
        "\t[bookworm] - a <pondered> (by us)\n\t- b\n"
    )
    assert listed(path)["DSA-6000-1"].affected == (
        Affected("debian:12", "a", FixState.UNDER_INVESTIGATION, note="pondered: by us"),
        Affected(
            "debian:",
            "b",
            FixState.UNDER_INVESTIGATION,
            note="the fixed version cannot be read: nothing",
        ),
    )


@pytest.mark.parametrize("content", ["invalid", "[]", '{"a": 1}', '{"a b": {"CVE-1": {}}}', ""])
def test_a_broken_tracker_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "json"
    path.write_text(content)
    with pytest.raises(UnreadableError, match="json"):
        list(debian.parse_tracker(FeedFile("json", str(path))))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "invalid",
        "<html>Sorry</html>",
        "[29 Mar 2023] DSA-5380-1 a - update\n\tcut off in the mid",
        "[31 Feb 2023] DSA-5380-1 a - update\n",
        "\t{CVE-2024-1000}\n",
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "list"
    path.write_text(content)
    with pytest.raises(UnreadableError, match="list"):
        list(debian.parse_list(FeedFile("list", str(path))))


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data are not here")
def test_the_real_lists_are_read_whole() -> None:
    dsa = listed(DATA / "debian-DSA-list-2023-03-29.txt.gz")
    dla = listed(DATA / "debian-DLA-list-2023-03-29.txt.gz")
    assert (len(dsa), len(dla)) == (5406, 3534)
    states = Counter(one.state for each in dsa.values() for one in each.affected)
    assert states == {
        FixState.FIXED: 6926,
        FixState.NOT_AFFECTED: 55,
        FixState.END_OF_LIFE: 4,
        FixState.AFFECTED: 3,
    }
    heartbleed = dsa["DSA-2896-1"]
    assert heartbleed.cves == ("CVE-2014-0160",)
    assert Affected("debian:7", "openssl", FixState.FIXED, fixed="1.0.1e-2+deb7u5") in (
        heartbleed.affected
    )


@pytest.mark.skipif(not DATA.is_dir(), reason="the shared test data are not here")
def test_the_broken_sample_is_refused() -> None:
    path = DATA / "feed-samples/debian/tracker/api/invalid.json"
    with pytest.raises(UnreadableError):
        list(debian.parse_tracker(FeedFile("json", str(path))))
