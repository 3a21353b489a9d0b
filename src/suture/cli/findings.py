"""``suture findings`` and ``suture explain``: what is open, and why."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.services.findings import Moment

FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def findings(
    host: Annotated[list[str] | None, typer.Option(help="Only this enrolled host.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only hosts with this label.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="One line a finding, not only a line a patch.")
    ] = False,
    overview: Annotated[
        bool,
        typer.Option("--overview", help="Counts for the whole fleet, in seconds at any size."),
    ] = False,
    by_weakness: Annotated[
        bool, typer.Option("--by-weakness", help="Which kinds of weakness (CWE) cost most.")
    ] = False,
    excepted: Annotated[
        bool, typer.Option("--excepted", help="Only those that someone accepted for a time.")
    ] = False,
    at: Annotated[
        datetime | None,
        typer.Option(formats=FORMATS, help="With the packages that hosts had then (UTC)."),
    ] = None,
    as_known_at: Annotated[
        datetime | None,
        typer.Option(formats=FORMATS, help="With what was known of vulnerabilities then (UTC)."),
    ] = None,
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
    from suture.cli import findings_view as view
    from suture.cli.output import print_json, print_text
    from suture.cli.workspace import workspace
    from suture.services import findings as service

    if form is not None and form not in tuple(service.Format):
        raise typer.BadParameter("expected csv or sarif", param_hint="--format")
    names, labels = tuple(host or ()), tuple(label or ())
    if configuration:
        _configuration(names, labels, policy, json)
        return
    moment = service.Moment(_utc(at, "--at"), _utc(as_known_at, "--as-known-at"))
    if overview:
        _overview(policy, moment, json)
        return
    found = service.fleet_findings(
        workspace(), names=names, labels=labels, policy_file=policy, moment=moment
    )
    if form is not None:
        print_text(service.rendered(found, service.Format(form)))
        view.print_unknown(found.never_seen, found.unjudged, by=moment.at, stderr=True)
    elif json:
        print_json(found)
    elif by_weakness:
        view.print_weaknesses(found)
        view.print_unknown(found.never_seen, found.unjudged, by=moment.at)
    elif excepted:
        view.print_excepted(found)
        view.print_unknown(found.never_seen, found.unjudged, by=moment.at)
    else:
        view.print_findings(found, every, moment.at)


def _overview(policy: Path | None, moment: Moment, json: bool) -> None:
    from suture.cli.findings_view import print_overview
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import overview

    found = overview.overview(workspace(), policy_file=policy, moment=moment)
    if json:
        print_json(found)
    else:
        print_overview(found)


def _utc(moment: datetime | None, option: str) -> datetime | None:
    """A day alone stands for its end."""
    if moment is None:
        return None
    from suture.services.collecting import clock

    if moment.replace(tzinfo=UTC) > clock():
        raise typer.BadParameter(
            f"{moment:%Y-%m-%d %H:%M} UTC is in the future; give a day up to today's, or leave it "
            "out for now",
            param_hint=option,
        )
    is_day = moment.time() == time.min
    return (moment + timedelta(days=1) if is_day else moment).replace(tzinfo=UTC)


def sbom(
    host: Annotated[list[str] | None, typer.Option(help="Only this enrolled host.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="Only hosts with this label.")
    ] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
) -> None:
    """What is installed and what of it is open, as CycloneDX (SBOM with VEX). Hosts of which
    nothing can be said are marked as such in it, and named on standard error."""
    from suture.cli.findings_view import print_unknown
    from suture.cli.output import print_text
    from suture.cli.workspace import workspace
    from suture.services import findings as service

    made = service.sbom(
        workspace(), names=tuple(host or ()), labels=tuple(label or ()), policy_file=policy
    )
    print_text(made.text)
    print_unknown(made.never_seen, made.unjudged, stderr=True)


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
    cve: Annotated[str, typer.Argument(help="CVE-YYYY-NNNN, or an id such as XSA-213.")],
    host: Annotated[str | None, typer.Option(help="Only this enrolled host.")] = None,
    policy: Annotated[Path | None, typer.Option(help="Policy file.")] = None,
    json: Json = False,
) -> None:
    """Why a CVE is open, what would close it, and why it ranks where it does."""
    from suture.cli.findings_view import print_explanations
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import findings as service

    found = service.explain(workspace(), cve, host=host, policy_file=policy)
    if json:
        print_json({"hosts": found})
        return
    print_explanations(found)
