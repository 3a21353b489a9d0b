"""The pages say what is so, as far as a test can tell."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from docs import commands
from suture.core import controls
from suture.core.assessment.matching import UnnamedUpdate
from suture.hosts.transport import FailureKind, HostFailure
from suture.services import scan_report

ROOT = Path(commands.PAGE).parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    """Where this fails: ``python -m docs.commands``."""
    assert commands.PAGE.read_text() == commands.page()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target.read_text()), link


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_an_image_takes_from_a_checkout_what_it_names_and_no_more() -> None:
    """As a whole it would bring its history, and secrets that lie beside a compose file."""
    steps = (ROOT / "docs/deploy/Containerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (.+) \S+$", steps, re.M) for name in line.split()]
    assert copied
    for name in copied:
        assert (ROOT / name).exists(), name
        assert name in ("src", "pyproject.toml", "README.md", "LICENSE", "requirements.lock")


def test_the_tests_that_show_safety_exist() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs/safety.md").read_text())
    assert len(named) > 20
    for path, name in named:
        assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), name


@pytest.mark.parametrize(
    "document",
    [
        scan_report.ScanReport,
        scan_report.HostScan,
        scan_report.ScanFinding,
        scan_report.LedgerReport,
        scan_report.LedgerLine,
        scan_report.Restart,
        UnnamedUpdate,
        HostFailure,
    ],
)
def test_every_field_of_a_scan_is_explained(document: type[msgspec.Struct]) -> None:
    page = (ROOT / "docs/scan-json.md").read_text()
    for field in msgspec.structs.fields(document):
        assert f"| `{field.encode_name}` |" in page


def test_the_controls_in_the_pages_are_valid() -> None:
    page = (ROOT / "docs/controls.md").read_text()
    examples = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    assert len({controls.parse(text, name="controls.md").target[0] for text in examples}) == 4


def test_every_kind_of_failure_has_its_row() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    for kind in FailureKind:
        assert f"| `{kind.value}` |" in page
