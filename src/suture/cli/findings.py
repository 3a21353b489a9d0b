"""``suture findings`` and ``suture explain``: what is open, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.services.findings import Explanation, FleetFindings


def findings(
    host: Annotated[list[str] | None, typer.Option(help="Only this enrolled host.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only hosts with this label.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="One line a finding, not only a line a patch.")
    ] = False,
    excepted: Annotated[
        bool, typer.Option("--excepted", help="Only those that someone accepted for a time.")
    ] = False,
    form: Annotated[
        str | None, typer.Option("--format", help="Print csv or sarif instead of tables.")
    ] = None,
    configuration: Annotated[
        bool,
        typer.Option(
            "--configuration", help="What no patch closes: our own checks and scanners' reports."
        ),
    ] = False,
    json: Json = False,
) -> None:
    """What is open on the fleet, most urgent first, from the last scans."""
    from suture.cli.output import print_json, print_text
    from suture.cli.workspace import workspace
    from suture.services import findings as service

    if form is not None and form not in tuple(service.Format):
        raise typer.BadParameter("expected csv or sarif", param_hint="--format")
    names, labels = tuple(host or ()), tuple(label or ())
    if configuration:
        _configuration(names, labels, policy, json)
        return
    found = service.fleet_findings(workspace(), names=names, labels=labels, policy_file=policy)
    if form is not None:
        print_text(service.rendered(found, service.Format(form)))
    elif json:
        print_json(found)
    elif excepted:
        _print_excepted(found)
    else:
        _print(found, every)


def sbom(
    host: Annotated[list[str] | None, typer.Option(help="Only this enrolled host.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only hosts with this label.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
) -> None:
    """What is installed and what of it is open, as CycloneDX (SBOM with VEX)."""
    from suture.cli.output import print_text
    from suture.cli.workspace import workspace
    from suture.services import findings as service

    print_text(
        service.sbom(
            workspace(), names=tuple(host or ()), labels=tuple(label or ()), policy_file=policy
        )
    )


def _configuration(
    names: tuple[str, ...], labels: tuple[str, ...], policy: Path | None, json: bool
) -> None:
    from suture.cli.output import print_json
    from suture.cli.reports_view import print_configuration
    from suture.cli.workspace import workspace
    from suture.services import configuration

    found = configuration.findings(workspace(), names=names, labels=labels, policy_file=policy)
    if json:
        print_json({"findings": found})
    else:
        print_configuration(found)


def explain(
    cve: Annotated[str, typer.Argument(help="CVE-YYYY-NNNN")],
    host: Annotated[str | None, typer.Option(help="Only this enrolled host.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    json: Json = False,
) -> None:
    """Why a CVE is open, what would close it, and why it ranks where it does."""
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import findings as service

    found = service.explain(workspace(), cve, host=host, policy_file=policy)
    if json:
        print_json({"hosts": found})
        return
    for one in found:
        _print_explanation(one)


def _print(found: FleetFindings, every: bool) -> None:
    from suture.cli.output import console, plain, styled, table

    out = console()
    if every:
        made = table("#", "CVE", "Host", "Package", "|Installed", "|Fixed in", "State", "Severity")
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
        plain(f"{len(found.findings)} findings: {len(cves)} CVEs on {len(hosts)} hosts.", "bold")
    )
    if found.excepted:
        soon = f", {len(found.expiring)} of them come back within 30 days" if found.expiring else ""
        out.print(
            plain(f"{len(found.excepted)} more are accepted for a time{soon}: --excepted", "yellow")
        )
    if found.oldest_scan:
        out.print(plain(f"Oldest scan: {found.oldest_scan:%Y-%m-%d %H:%M} UTC.", "dim"))
    if found.never_seen:
        names = ", ".join(found.never_seen)
        out.print(plain(f"Never scanned, so unknown: {names}. Run: suture scan", "bold yellow"))


def _print_excepted(found: FleetFindings) -> None:
    from suture.cli.output import console, plain, styled, table

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


def _print_explanation(one: Explanation) -> None:
    from suture.cli.output import console, plain, styled

    out = console()
    out.print(plain(f"{one.host}: ", "bold") + plain(one.answer))
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
        out.print(plain(f"  rank {finding.rank} (score {finding.score:.2f})"))
    if one.statement is not None:
        says = one.statement
        when = f" on {says.published}" if says.published else ""
        out.print(plain(f"  {says.publisher} says{when}: {says.summary}"))
    for entry in one.updates:
        detail = f": {entry.detail}" if entry.detail else ""
        out.print(
            plain(
                f"  update {entry.package} {entry.installed} → {entry.available}: "
                f"{entry.reason.value}{detail}"
            )
        )
