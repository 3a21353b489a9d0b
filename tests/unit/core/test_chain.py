"""Whoever changes one event, in whatever way, is found out."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core import chain
from suture.core.evidence import Event

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _chain(length: int) -> list[Event]:
    events: list[Event] = []
    for number in range(length):
        before = events[-1] if events else None
        events.append(
            chain.link(
                before,
                at=NOW,
                kind="step.finished",
                subject="r1",
                host="web1",
                actor="root",
                data=f"{number}",
            )
        )
    return events


def test_a_whole_chain() -> None:
    events = _chain(4)
    assert chain.verify(events) == chain.ChainVerdict(events=4, head=events[-1].hash)
    assert chain.verify([]) == chain.ChainVerdict(events=0, head=chain.START)


@given(
    st.integers(2, 8),
    st.data(),
    st.sampled_from(["change", "remove", "insert", "swap", "rehash"]),
)
def test_any_single_tampering_is_found(length: int, data: st.DataObject, how: str) -> None:
    events = _chain(length)
    head = events[-1].hash
    place = data.draw(st.integers(0, length - 2))
    if how == "change":
        field = data.draw(st.sampled_from(["kind", "subject", "host", "actor", "data", "previous"]))
        events[place] = replace(events[place], **{field: "tampered"})
    elif how == "remove":
        del events[place]
    elif how == "insert":
        events.insert(place + 1, events[place])
    elif how == "swap":
        events[place], events[place + 1] = events[place + 1], events[place]
    else:
        before = events[place - 1] if place else None
        events[place] = chain.link(
            before, at=NOW, kind="forged", subject="r1", host="web1", actor="root", data="{}"
        )
    verdict = chain.verify(events)
    assert verdict.broken_at is not None
    assert verdict.head != head


def test_a_missing_end_shows_in_the_head_alone() -> None:
    events = _chain(5)
    verdict = chain.verify(events[:-1])
    assert verdict.broken_at is None
    assert verdict.head != events[-1].hash
