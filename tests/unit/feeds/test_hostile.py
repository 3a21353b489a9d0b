"""Every parser of a feed answers records or refuses the file, whatever the file holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.feeds import HOSTILE, PARSERS, records, seeds

PARSER = pytest.mark.parametrize("parser", PARSERS)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = [name for name, (_, file, _) in PARSERS.items() if file.endswith("json")]
FOUND = sorted(HOSTILE.glob("*/*"))


def _json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "replace")


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where all the values inside ``value`` are."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield (*path, key)
        yield from _paths(item, (*path, key))


def _put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for key in path[:-1]:
        value = value[key]
    value[path[-1]] = new


@PARSER
def test_the_seeds_hold_records(parser: str) -> None:
    assert all(records(parser, seed) for seed in seeds(parser))


@PARSER
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=200))
def test_arbitrary_bytes(parser: str, data: bytes) -> None:
    records(parser, data)


@PARSER
@settings(max_examples=30, deadline=None)
@given(
    value=st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_arbitrary_json(parser: str, value: Any) -> None:
    records(parser, _json(value))


@PARSER
@settings(max_examples=100, deadline=None)
@given(choice=st.data())
def test_recorded_files_with_bytes_changed_and_cut(parser: str, choice: st.DataObject) -> None:
    data = bytearray(choice.draw(st.sampled_from(seeds(parser))))
    for _ in range(choice.draw(st.integers(1, 4))):
        at = choice.draw(st.integers(0, len(data) - 1))
        data[at : at + choice.draw(st.integers(0, 8))] = choice.draw(st.binary(max_size=8))
        data = data or bytearray(b" ")
    records(parser, bytes(data[: choice.draw(st.integers(1, len(data)))]))


@pytest.mark.parametrize("parser", JSON)
@settings(max_examples=100, deadline=None)
@given(choice=st.data())
def test_recorded_json_with_values_changed(parser: str, choice: st.DataObject) -> None:
    value = json.loads(choice.draw(st.sampled_from(seeds(parser))))
    path = choice.draw(st.sampled_from(list(_paths(value))))
    _put(value, path, choice.draw(SCALARS | st.just([]) | st.just({})))
    records(parser, _json(value))


@pytest.mark.parametrize("path", FOUND, ids=[f"{one.parent.name}/{one.name}" for one in FOUND])
def test_what_fuzzing_found(path: Any) -> None:
    records(path.parent.name, path.read_bytes())
