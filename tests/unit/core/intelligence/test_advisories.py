"""Ids of vulnerabilities, as people write them."""

import pytest

from suture.core.intelligence.advisories import vulnerability_id


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("cve-2026-0001", "CVE-2026-0001"),
        ("TEMP-0841863-b31baf", "TEMP-0841863-B31BAF"),
        ("XSA-213", "XSA-213"),
        ("ghsa-6C3J-c64m-qhgq", "GHSA-6c3j-c64m-qhgq"),
    ],
)
def test_ids_have_one_form(text: str, id_: str) -> None:
    assert vulnerability_id(text) == id_


@pytest.mark.parametrize("text", ["", "NONSENSE", "CVE-2026", "2026-0001", "X-", "A B-1"])
def test_what_has_no_form_of_an_id_is_none(text: str) -> None:
    assert vulnerability_id(text) is None
