"""All feeds together: found by name, at official addresses."""

from __future__ import annotations

from suture.feeds.catalogue import catalogue


def test_feeds_are_found_by_name() -> None:
    expected = {"debian-tracker", "ubuntu-osv", "ubuntu-vex", "alpine-secdb", "arch"}
    assert expected <= set(catalogue())


def test_every_feed_can_be_fetched_and_read() -> None:
    for feed in catalogue().values():
        assert feed.url.startswith("https://"), feed.name
        assert feed.url.endswith("/"), feed.name
        assert (feed.parse is None) != (feed.scores is None), feed.name
