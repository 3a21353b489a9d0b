"""A plan that is read back is the same plan."""

from __future__ import annotations

import pytest
from msgspec import ValidationError

from suture.core.documents import encode
from suture.core.planning.reading import read_plan
from tests.unit.core.builders import change, plan, wave, with_host

WHOLE = with_host(plan([wave(0, ["a", "b", "c"])]), "c", changes=(change("curl"),))


def test_it_is_equal_and_keeps_its_id() -> None:
    again = read_plan(encode(WHOLE))
    assert again == WHOLE
    assert again.id == WHOLE.id


def test_hosts_that_are_alike_share_what_they_have_in_common() -> None:
    one, two, other = read_plan(encode(WHOLE)).hosts
    assert one.changes is two.changes
    assert one.ledger is two.ledger
    assert other.changes is not one.changes
    assert other.host == "c"


@pytest.mark.parametrize("document", [b"{}", b'{"hosts": [{}]}', encode(WHOLE)[:-1] + b',"x":1'])
def test_what_is_no_plan_is_refused(document: bytes) -> None:
    with pytest.raises((ValidationError, ValueError)):
        read_plan(document)
