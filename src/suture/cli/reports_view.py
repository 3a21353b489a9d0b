"""How imported reports look on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from suture.cli.output import console, count, plain, styled, table

if TYPE_CHECKING:
    from suture.core.assessment.configuration import ConfigurationFinding
    from suture.core.scanners.reconciling import HostReconciliation
    from suture.services.knowledge_bases import KnowledgeBase
    from suture.services.scanner_reports import Result
    from suture.store.scanner_reports import StoredReport

_SHOWN = 30


def print_result(result: Result) -> None:
    """A line a host, then what could not be placed and why."""
    out = console()
    _print_heading(result.report, known="" if result.new else ", known already")
    if result.hosts:
        made = table(
            *("Host", "Agrees", "Only scanner", "Only us", "Not compared", "Configuration"),
            "|Likely why",
            right=("Agrees", "Only scanner", "Only us", "Not compared", "Configuration"),
        )
        for one in result.hosts:
            why = ", ".join(f"{count} {reason.value}" for reason, count in one.reasons[:4])
            counts = (one.agrees, one.only_scanner, one.only_us, one.unknown, one.configuration)
            made.add_row(plain(one.host), *(plain(count) for count in counts), plain(why))
        out.print(made)
    if result.unplaced:
        made = table("Not placed", "Lines", "|Host or check", "|Why", right=("Lines",))
        for misfit in result.unplaced[:_SHOWN]:
            made.add_row(
                plain(misfit.what.value),
                plain(misfit.lines),
                plain(misfit.subject),
                plain(misfit.why + (f"; {misfit.remedy}" if misfit.remedy else "")),
            )
        out.print(made)
        if len(result.unplaced) > _SHOWN:
            out.print(plain(f"and {len(result.unplaced) - _SHOWN} more; see --json", "dim"))
    out.print(plain(f"Details: suture reports show {result.report.id} --host HOST", "dim"))


def print_knowledge(found: Sequence[KnowledgeBase]) -> None:
    """What scanners say of their checks."""
    for one in found:
        console().print(
            plain(f"{one.name}: ", "bold")
            + plain(
                f"{one.format}, {one.checks:,} checks, {one.changed:,} of them new or changed; "
                f"{one.known:,} are known. Reports imported before are compared with it as well."
            )
        )


def _print_heading(report: StoredReport, known: str = "") -> None:
    lines = {state.value: count for state, count in report.summary.lines.items() if count}
    seen = ""
    if report.seen_until is not None:
        seen = f", seen until {report.seen_until:%Y-%m-%d %H:%M} UTC"
    out = console()
    out.print(
        plain(f"{report.name}: ", "bold")
        + plain(f"{report.summary.format}, report {report.id}{known}{seen}")
    )
    counted = ", ".join(f"{count:,} {what}" for what, count in lines.items())
    out.print(plain(f"  {report.summary.hosts} hosts; lines: {counted}", "dim"))
    if report.summary.truncated:
        out.print(
            plain("  Not whole: ", "bold red")
            + plain(
                f"{report.scanner.label} says: {report.summary.truncated} "
                "Fetch the rest and take it in as well: suture import FILE"
            )
        )


def print_reports(found: Sequence[StoredReport]) -> None:
    if not found:
        console().print("No reports yet. Take one in: suture import FILE")
        return
    made = table("#", "Scanner", "|File", "Format", "Hosts", "Seen", "Imported", right=("Hosts",))
    for one in found:
        made.add_row(
            plain(one.id),
            plain(one.scanner.label),
            plain(one.name),
            plain(one.summary.format),
            plain(f"{one.summary.hosts}, not all" if one.summary.truncated else one.summary.hosts),
            plain(f"{one.seen_until:%Y-%m-%d}" if one.seen_until else "unknown"),
            plain(f"{one.imported_at:%Y-%m-%d %H:%M}"),
        )
    console().print(made)


def print_host(one: HostReconciliation, how: str) -> None:
    """Every vulnerability of one host, and what no patch closes."""
    out = console()
    seen = f", seen {one.seen_at:%Y-%m-%d %H:%M} UTC" if one.seen_at else ""
    out.print(plain(one.host, "bold") + plain(f": {one.seen_as} in the report, {how}{seen}"))
    made = table("CVE", "Severity", "", "Package", "Check", "|Likely why")
    order = ("only-scanner", "only-us", "unknown", "agrees")
    for each in sorted(one.vulnerabilities, key=lambda each: order.index(each.agreement)):
        made.add_row(
            plain(each.cve),
            styled(each.severity),
            plain(each.agreement.value),
            plain(each.package),
            plain(each.plugin),
            plain(each.reason),
        )
    out.print(made)
    lines = (*one.configuration, *one.without_cve, *one.undecided)
    if lines:
        made = table("Check", "Severity", "", "|Title", "|Solution")
        for line in lines:
            made.add_row(
                plain(line.plugin),
                styled(line.severity),
                plain(line.state.value),
                plain(line.title),
                plain(line.solution, limit=160),
            )
        out.print(made)


def print_configuration(found: Sequence[ConfigurationFinding]) -> None:
    made = table("Severity", "Host", "Check", "|What", "|Remedy")
    for one in found:
        made.add_row(
            styled(one.severity),
            plain(one.host),
            plain(one.check),
            plain(one.title),
            plain(one.remedy, limit=160),
        )
    console().print(made)
    hosts = {one.host for one in found}
    console().print(
        plain(
            f"{count(len(found), 'configuration finding')} on {count(len(hosts), 'host')}; "
            "no patch closes them."
        )
    )
