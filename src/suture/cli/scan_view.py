"""How a scan looks: findings added up by patch, the ledger, what must be restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suture.cli.output import count, duration, plain, styled, table
from suture.cli.plan_view import print_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.text import Text

    from suture.core.priority.ranking import RankedPatch
    from suture.hosts.transport import HostFailure
    from suture.services.assessing import Assessment
    from suture.services.scanning import Scan

_STALE_LISTS_S = 24 * 3600
_DETAILED = 10  # hosts; of more each gets a line


def print_scan(out: Console, result: Scan, *, every: bool) -> None:
    """Each host in detail, or a line for each where there are many, and who failed."""
    if len(result.assessments) <= _DETAILED:
        for number in range(len(result.assessments)):
            _print_host(out, result, number, every=every)
    else:
        _print_lines(out, result)
    print_failures(out, result.report.failed)


def _print_lines(out: Console, result: Scan) -> None:
    columns = ("Host", "|System", "Updates", "CVEs", "Worst", "|First", "|To know")
    made = table(*columns, right=("Updates", "CVEs"))
    for assessment, patches in zip(result.assessments, result.patches, strict=True):
        made.add_row(
            plain(assessment.inventory.host),
            plain(assessment.inventory.os.title),
            plain(assessment.selection.ledger.available),
            plain(len({one.cve for one in assessment.findings})),
            _worst(assessment),
            plain(f"{patches[0].source} {patches[0].fixed or ''}" if patches else ""),
            plain("; ".join(_to_know(assessment)), "yellow"),
        )
    out.print(made)
    cves = {one.cve for assessment in result.assessments for one in assessment.findings}
    out.print(
        plain(f"{count(len(result.assessments), 'host')}, {count(len(cves), 'CVE')}. ", "bold")
        + plain("Fewer hosts are shown in detail; the enrolled fleet by patch: suture findings")
    )


def _worst(assessment: Assessment) -> Text:
    severities = [one.severity for one in assessment.findings]
    if severities:
        return styled(max(severities, key=tuple(type(severities[0])).index))
    return (
        styled("unknown") if assessment.inventory.indexes_age_s is None else plain("none", "green")
    )


def _to_know(assessment: Assessment) -> Iterator[str]:
    seen = assessment.inventory
    if seen.indexes_age_s is None:
        yield "not assessed: no package lists, use --refresh"
    elif seen.indexes_age_s > _STALE_LISTS_S:
        yield f"package lists {duration(seen.indexes_age_s)} old"
    if seen.reboot_required:
        yield "reboot required"
    if seen.stale:
        yield count(len({one.unit or one.command for one in seen.stale}), "restart")


def _print_host(out: Console, result: Scan, number: int, *, every: bool) -> None:
    assessment = result.assessments[number]
    _print_head(out, assessment)
    if result.patches[number] or assessment.inventory.indexes_age_s is not None:
        print_patches(out, result.patches[number])
    if every:
        print_findings(out, assessment)
    for unnamed in assessment.unnamed:
        out.print(
            plain(f"  {unnamed.source} {unnamed.to}: a security update; {unnamed.reason}", "yellow")
        )
    print_ledger(out, assessment.selection.ledger, "Ledger")
    _print_restarts(out, assessment)
    out.print()


def _print_head(out: Console, assessment: Assessment) -> None:
    seen = assessment.inventory
    age = seen.indexes_age_s
    lists = "no package lists" if age is None else f"package lists {duration(age)} old"
    out.print(
        plain(seen.host, "bold")
        + plain(
            f"  {seen.os.title} · kernel {seen.kernel.running}"
            f"{' (container)' if seen.kernel.container else ''} · "
            f"{len(seen.packages.packages)} packages · {lists}"
        )
    )
    if age is None:
        out.print(
            plain(
                "  Not assessed: without package lists no update can be seen. Use --refresh.",
                "bold yellow",
            )
        )
    elif age > _STALE_LISTS_S:
        out.print(plain("  Newer vulnerabilities may be missing. Use --refresh.", "yellow"))
    for note in seen.notes:
        out.print(plain(f"  note: {note}", "dim"))


def print_patches(out: Console, patches: tuple[RankedPatch, ...]) -> None:
    """What to install first, and what that closes."""
    if not patches:
        out.print(plain("  No vulnerability found.", "green"))
        return
    made = table(
        "#", "Patch", "|Installed", "|Fixed in", "CVEs", "|", "Severity", right=("#", "CVEs")
    )
    for number, patch in enumerate(patches, 1):
        made.add_row(
            plain(number),
            plain(patch.source),
            plain(", ".join(patch.installed)),
            plain(patch.fixed or "no fix yet"),
            plain(len(patch.cves)),
            plain(_cves(patch.cves)),
            styled(patch.severity),
        )
    out.print(made)
    out.print(plain(f"  First because of {patches[0].reason}", "dim"))


def _cves(cves: tuple[str, ...]) -> str:
    return ", ".join(cves[:2]) + (" …" if len(cves) > 2 else "")


def print_findings(out: Console, assessment: Assessment) -> None:
    made = table(
        "#", "CVE", "Package", "|Installed", "|Fixed in", "State", "Severity", right=("#",)
    )
    for finding in assessment.findings:
        made.add_row(
            plain(finding.rank),
            plain(finding.cve),
            plain(finding.package),
            plain(finding.installed),
            plain(finding.fixed or "–"),
            plain(finding.state.value),
            styled(finding.severity),
        )
    out.print(made)


def _print_restarts(out: Console, assessment: Assessment) -> None:
    seen = assessment.inventory
    if seen.stale:
        made = table("Restart", "|It still uses", "Of package")
        by_unit = {one.unit or f"{one.command} (pid {one.pid})": one for one in seen.stale}
        for unit, one in sorted(by_unit.items()):
            made.add_row(plain(unit), plain(one.path), plain(one.package or "unknown"))
        out.print(made)
    if seen.reboot_required:
        why = ", ".join(seen.reboot_packages)
        out.print(plain(f"  Reboot required{f' by {why}' if why else ''}.", "yellow"))


def print_failures(out: Console, failed: tuple[HostFailure, ...]) -> None:
    for failure in failed:
        out.print(
            plain(failure.host, "bold")
            + plain(f"  could not be assessed ({failure.kind.value}): {failure.message}", "red")
        )
        out.print(plain(f"  {failure.remedy}"))
