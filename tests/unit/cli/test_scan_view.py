from __future__ import annotations

import io

from rich.console import Console

from suture.cli.scan_view import print_scan
from suture.core.inventory import Inventory
from suture.core.selection.ledger import Selection
from suture.services.assessing import Assessment
from suture.services.scan_report import ScanReport, host_scan
from suture.services.scanning import Scan
from tests.unit.core.builders import host, inventory, nothing_selected


def _scan(*seen: Inventory) -> Scan:
    selection: Selection = nothing_selected()
    assessments = tuple(Assessment(host(one.host), one, (), (), selection) for one in seen)
    hosts = tuple(host_scan(one, (), selection.ledger, ()) for one in seen)
    return Scan(ScanReport(hosts, ()), assessments, ((),) * len(seen))


def _print(scan: Scan) -> list[str]:
    file = io.StringIO()
    print_scan(Console(file=file, width=120), scan, every=False)
    return file.getvalue().splitlines()


def test_few_hosts_are_shown_in_detail() -> None:
    said = _print(_scan(inventory("web1"), inventory("web2")))
    assert sum("Ledger: " in line for line in said) == 2
    assert sum("No vulnerability found" in line for line in said) == 2


def test_what_was_not_assessed_is_not_said_to_be_fine() -> None:
    said = _print(_scan(inventory("web", indexes_age_s=None)))
    assert any("Not assessed" in line for line in said)
    assert not any("No vulnerability found" in line for line in said)


def test_each_of_many_hosts_has_a_line_with_what_is_to_know_about_it() -> None:
    hosts = [inventory(f"web{number}") for number in range(18)]
    unread = inventory("unread", indexes_age_s=None, reboot_required=True)
    said = _print(_scan(*hosts, unread))
    assert len(said) < 30
    (line,) = (line for line in said if "unread" in line)
    assert " 0 unknown not assessed: no package lists" in " ".join(line.split())
    assert any(line.startswith("19 hosts, 0 CVEs.") for line in said)
