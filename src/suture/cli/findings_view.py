"""How findings look: by patch, one by one, by weakness, accepted, and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from suture.cli.output import console, count, listed, plain, styled, table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from suture.services.agreeing import ScannerWord
    from suture.services.findings import Explanation, OpenFindings
    from suture.services.overview import Overview
    from suture.services.unjudged import Unjudged


def print_findings(found: OpenFindings, every: bool, by: datetime | None = None) -> None:
    out = console()
    if every:
        columns = ("#", "CVE", "Host", "Package", "|Installed", "|Fixed in", "State", "Severity")
        made = table(*columns, "EPSS", "SSVC", "Due", right=("#", "EPSS"))
        for finding in found.findings:
            made.add_row(
                plain(finding.rank),
                plain(finding.cve),
                plain(finding.host),
                plain(finding.package),
                plain(finding.installed),
                plain(finding.fixed or "–"),
                plain(finding.state.value),
                styled(finding.severity),
                plain("–" if finding.epss is None else f"{finding.epss:.1%}"),
                plain(finding.ssvc or "–"),
                plain(finding.due or "–", "bold red" if finding.overdue else ""),
            )
    else:
        made = table("#", "Patch", "|Fixed in", "CVEs", "Hosts", "Severity", "|Why here")
        for number, patch in enumerate(found.patches, 1):
            made.add_row(
                plain(number),
                plain(patch.source),
                plain(patch.fixed or "no fix yet"),
                plain(len(patch.cves)),
                plain(len(patch.hosts)),
                styled(patch.severity),
                plain(patch.reason),
            )
    out.print(made)
    cves = {finding.cve for finding in found.findings}
    hosts = {finding.host for finding in found.findings}
    out.print(
        plain(
            f"{count(len(found.findings), 'finding')}: {count(len(cves), 'CVE')} on "
            f"{count(len(hosts), 'host')}.",
            "bold",
        )
    )
    if found.excepted:
        soon = f", {len(found.expiring)} of them come back within 30 days" if found.expiring else ""
        out.print(
            plain(f"{len(found.excepted)} more are accepted for a time{soon}: --excepted", "yellow")
        )
    if found.findings and all(one.epss is None for one in found.findings):
        text = (
            "No scores and no list of exploited vulnerabilities are known. Run: suture feeds sync"
        )
        out.print(plain(text, "yellow"))
    if found.oldest_scan:
        out.print(plain(f"Oldest scan: {found.oldest_scan:%Y-%m-%d %H:%M} UTC.", "dim"))
    print_unknown(found.never_seen, found.unjudged, by=by)


def print_unknown(
    never_seen: Sequence[str],
    unjudged: Sequence[Unjudged],
    *,
    by: datetime | None = None,
    stderr: bool = False,
) -> None:
    """Which hosts show no findings because nothing is known of them, or of their release; ``by``
    a time in the past, None for now."""
    by_release: dict[str, list[Unjudged]] = {}
    for one in unjudged:
        by_release.setdefault(one.release, []).append(one)
    out = console(stderr=stderr)
    if never_seen:
        when = f"Not scanned by {by:%Y-%m-%d %H:%M} UTC" if by else "Never scanned"
        remedy = "" if by else " Run: suture scan"
        said = f"{when}, so unknown: {listed(never_seen)}.{remedy}"
        out.print(plain(said, "bold yellow", limit=5000))
    for alike in by_release.values():
        names = ", ".join(one.host for one in alike[:_NAMED])
        more = f" and {len(alike) - _NAMED:,} more" if len(alike) > _NAMED else ""
        said = f"Not assessed, so unknown: {names}{more}: {alike[0].message}. {alike[0].remedy}"
        out.print(plain(said, "bold yellow", limit=2000))


_NAMED = 5
_SHOWN = 30


def print_overview(found: Overview) -> None:
    """The most urgent CVEs of the fleet, and the hosts with the most findings."""
    out = console()
    columns = ("#", "CVE", "Hosts", "Fix for", "Severity", "Exploited", "EPSS", "CVSS", "SSVC")
    made = table(*columns, right=("#", "Hosts", "Fix for", "EPSS", "CVSS"))
    for number, one in enumerate(found.cves[:_SHOWN], 1):
        made.add_row(
            plain(number),
            plain(one.cve),
            plain(f"{one.hosts:,}"),
            plain(f"{one.fixed_on:,}"),
            styled(one.severity),
            plain("known" if one.kev else "", "bold red"),
            plain("–" if one.epss is None else f"{one.epss:.1%}"),
            plain("–" if one.cvss is None else f"{one.cvss:.1f}"),
            plain(one.ssvc),
        )
    out.print(made)
    if len(found.cves) > _SHOWN:
        out.print(plain(f"And {len(found.cves) - _SHOWN:,} more CVEs: --overview --json.", "dim"))
    out.print(
        plain(
            f"{count(found.findings, 'finding')} on {count(found.hosts, 'host')}, "
            f"{count(len(found.cves), 'CVE')}; no publisher names a fix for "
            f"{found.without_fix:,} of them.",
            "bold",
        )
    )
    most = ", ".join(f"{host} ({count:,})" for host, count in found.busiest[:5])
    if most:
        out.print(plain(f"Most on: {most}.", "dim"))
    print_unknown((), found.unjudged)


def print_weaknesses(found: OpenFindings) -> None:
    columns = ("CWE", "|Weakness", "Findings", "CVEs", "Hosts", "Score")
    made = table(*columns, right=("Findings", "CVEs", "Hosts", "Score"))
    for one in found.weaknesses:
        made.add_row(
            plain(one.cwe or "–"),
            plain(one.name),
            plain(one.findings),
            plain(one.cves),
            plain(len(one.hosts)),
            plain(f"{one.score:.0f}"),
        )
    console().print(made)


def print_excepted(found: OpenFindings) -> None:
    made = table("CVE", "Host", "Package", "Severity", "Exception", "Owner", "Until", "|Reason")
    for one in found.excepted:
        made.add_row(
            plain(one.finding.cve),
            plain(one.finding.host),
            plain(one.finding.package),
            styled(one.finding.severity),
            plain(one.exception.id),
            plain(one.exception.owner),
            plain(one.exception.expires),
            plain(one.exception.reason),
        )
    console().print(made)


def print_explanations(found: Sequence[Explanation]) -> None:
    """Each by itself, but hosts of which the same is to be said together."""
    alike: dict[Explanation, list[Explanation]] = {}
    for one in found:
        finding = one.finding and replace(one.finding, host="", rank=0)
        alike.setdefault(replace(one, host="", finding=finding), []).append(one)
    for some in alike.values():
        _print_explanation(some)


def _print_explanation(alike: Sequence[Explanation]) -> None:
    out = console()
    one = alike[0]
    hosts = listed([each.host for each in alike])
    out.print(plain(f"{hosts}: ", "bold", limit=2000) + plain(one.answer))
    finding = one.finding
    if finding is not None:
        out.print(
            plain(
                f"  {', '.join(finding.packages)} {finding.installed} (source {finding.source}), "
                f"fixed in {finding.fixed or 'no version yet'}: {finding.state.value}, "
            )
            + styled(finding.severity)
        )
        for reason in finding.reasons:
            out.print(plain(f"  · {reason}"))
        ranks = [each.finding.rank for each in alike if each.finding]
        last = f" to {max(ranks):,}" if len(ranks) > 1 else ""
        out.print(plain(f"  rank {min(ranks):,}{last} (score {finding.score:.2f})"))
    if one.statement is not None:
        says = one.statement
        when = f" on {says.published}" if says.published else ""
        out.print(plain(f"  {says.publisher} says{when}: {says.summary}"))
    if finding is None:
        for other in one.others:
            out.print(plain(f"  · {other}"))
    for word in one.scanners:
        out.print(plain(f"  {_scanner(word)}", limit=2000))
    for entry in one.updates:
        detail = f": {entry.detail}" if entry.detail else ""
        out.print(
            plain(
                f"  update {entry.package} {entry.installed} → {entry.available}: "
                f"{entry.reason.value}{detail}"
            )
        )


def _scanner(word: ScannerWord) -> str:
    """``Nessus says on 2026-03-01 (report 4, check 10): open, high: …``"""
    day = f" on {word.seen_at:%Y-%m-%d}" if word.seen_at else ""
    if not word.check:
        return f"{word.scanner.label} looked for it{day} and did not find it (report {word.report})"
    says = {
        "vulnerability": "open",
        "configuration": "open, and no patch closes it",
        "closed": "not open",
        "unknown": "it could not tell",
    }.get(word.state.value, "named, nothing to be closed")
    told = f"{word.scanner.label} says{day} (report {word.report}, check {word.check}): {says}, "
    return f"{told}{word.severity.value}: {word.title}" + f" {word.solution}".rstrip()
