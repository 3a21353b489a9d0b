"""What test suites report: goss in its JSON, pytest in the XML of JUnit.

Written by programs that ran on or against a twin, and so by anybody. The formats:
https://github.com/goss-org/goss/blob/master/docs/cli.md (``--format json``) and
https://docs.pytest.org/en/stable/how-to/output.html (``--junit-xml``).
"""

from __future__ import annotations

import io
from xml.etree.ElementTree import Element

import msgspec

from suture.core.documents import Document
from suture.core.evidence import Check, Verdict
from suture.hosts.text import clean
from suture.reading import UnreadableError, elements, json_of

ADDRESS = "ssh://twin"
"""The twin in the words of testinfra, which puts it into the names of tests."""

MOST_TESTS = 2000
MOST_BYTES = 8 * 2**20
_MOST_NAME = 200
_MOST_DETAIL = 300
_SKIPPED = 2


class _Result(Document, frozen=True, rename="kebab"):
    """``result`` is 0 for success, 1 for failure, 2 for a test that was skipped."""

    successful: bool
    resource_type: str = ""
    resource_id: str = ""
    tested: str = msgspec.field(default="", name="property")
    title: str | None = None
    result: int | str | None = None
    skipped: bool = False
    summary_line: str = ""

    @property
    def check(self) -> Check:
        name = clean(f"{self.resource_type} {self.resource_id}: {self.tested}", _MOST_NAME)
        if self.skipped or self.result == _SKIPPED:
            return Check(name, Verdict.INCONCLUSIVE, "skipped")
        verdict = Verdict.PASS if self.successful else Verdict.FAIL
        return Check(name, verdict, clean(self.summary_line, _MOST_DETAIL))


class _Goss(Document, frozen=True):
    results: tuple[_Result, ...] | None


def of_goss(data: bytes) -> tuple[Check, ...]:
    """A check for each result; raises :class:`UnreadableError`."""
    name = "goss's output"
    _bounded(data, name)
    start = data.find(b"{")  # older versions print warnings before it
    results = json_of(data[max(start, 0) :], _Goss, name=name).results or ()
    _few(len(results), name)
    return tuple(one.check for one in results)


def of_junit(data: bytes) -> tuple[Check, ...]:
    """A check for each test case; raises :class:`UnreadableError`."""
    name = "pytest's report"
    _bounded(data, name)
    found: list[Check] = []
    for number, case in enumerate(elements(io.BytesIO(data), "testcase", name=name), 1):
        _few(number, name)
        found.append(_case(case))
    return tuple(found)


def _case(case: Element) -> Check:
    module, test = case.get("classname", ""), case.get("name", "")
    for address in (f"[{ADDRESS}]", f"{ADDRESS}-", f"-{ADDRESS}"):
        test = test.replace(address, "")
    name = clean(f"{module}::{test}" if module else test, _MOST_NAME)
    for child in case:
        why = clean(child.get("message", ""), _MOST_DETAIL)
        if child.tag in ("failure", "error"):
            return Check(name, Verdict.FAIL, why or child.tag)
        if child.tag == "skipped":
            return Check(name, Verdict.INCONCLUSIVE, f"skipped: {why}" if why else "skipped")
    return Check(name, Verdict.PASS)


def _bounded(data: bytes, name: str) -> None:
    if len(data) > MOST_BYTES:
        raise UnreadableError(f"{name} is longer than {MOST_BYTES:,} bytes")


def _few(count: int, name: str) -> None:
    if count > MOST_TESTS:
        raise UnreadableError(f"{name} has more than {MOST_TESTS:,} tests; split the suite")
