"""How a scan looks: findings added up by patch, the ledger, what must be restarted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suture.cli.output import duration, plain, styled, table
from suture.cli.plan_view import print_ledger

if TYPE_CHECKING:
    from rich.console import Console

    from suture.core.priority.ranking import RankedPatch
    from suture.hosts.transport import HostFailure
    from suture.services.assessing import Assessment
    from suture.services.scanning import Scan

_STALE_LISTS_S = 24 * 3600


def print_scan(out: Console, result: Scan, number: int, *, every: bool) -> None:
    """One host's part of a scan."""
    assessment = result.assessments[number]
    _print_head(out, assessment)
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
