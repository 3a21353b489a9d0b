"""``suture import`` and ``suture reports``: what other scanners say, beside our own findings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import Json

if TYPE_CHECKING:
    from suture.services.importing import Imported

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Imported reports of other scanners; `suture import` takes them in.",
)

Number = Annotated[int, typer.Argument(help="A report's number; see `suture reports list`.")]


def import_(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Reports of Nessus, OpenVAS, Qualys or OpenSCAP, or Qualys's KnowledgeBase, "
            "compressed or not; - for stdin.",
        ),
    ],
    json: Json = False,
) -> None:
    """Take in other scanners' reports and hold them against our own findings. The format is told
    from the content, and a file that was imported before changes nothing. Qualys's KnowledgeBase
    says which CVEs its QIDs stand for, of reports imported before as well. Exit code 2 when a file
    could not be read; 3 when a host could not be assessed: it fits several enrolled ones, was
    never scanned by Suture, has QIDs that no KnowledgeBase explains, or none of the report is
    enrolled; or when a report says that it was cut off."""
    from suture.cli.failures import report
    from suture.cli.output import print_json
    from suture.cli.progress_view import host_progress
    from suture.cli.reports_view import print_knowledge, print_result
    from suture.cli.workspace import workspace
    from suture.services import importing, scanner_reports
    from suture.services.knowledge_bases import KnowledgeBase

    imported: list[Imported] = []
    knowledge: list[KnowledgeBase] = []
    failed = 0
    for file in files:
        try:
            with host_progress(quiet=json) as progress:
                kept = importing.import_file(workspace(), file, progress)
        except Exception as error:
            code = report(error)
            if code is None:
                raise
            failed = failed or code
            continue
        if isinstance(kept, KnowledgeBase):
            knowledge.append(kept)
        else:
            imported.append(kept)
    results = [scanner_reports.result(workspace(), one.report.id, new=one.new) for one in imported]
    if json:
        print_json({"reports": results, "knowledge": knowledge})
    else:
        print_knowledge(knowledge)
        for result in results:
            print_result(result)
    if failed or any(result.incomplete for result in results):
        raise typer.Exit(failed or 3)


@app.command("list")
def list_(json: Json = False) -> None:
    """The imported reports, the newest first."""
    from suture.cli.output import print_json
    from suture.cli.reports_view import print_reports
    from suture.cli.workspace import workspace
    from suture.services import scanner_reports

    found = scanner_reports.listing(workspace())
    if json:
        print_json({"reports": found})
    else:
        print_reports(found)


@app.command()
def show(
    number: Number,
    host: Annotated[
        str, typer.Option(help="This enrolled host alone, with every vulnerability.")
    ] = "",
    json: Json = False,
) -> None:
    """A report against what is known now, host by host; with --json or --host every
    vulnerability, and why the sides differ."""
    from suture.cli.output import print_json
    from suture.cli.reports_view import print_host, print_result
    from suture.cli.workspace import workspace
    from suture.services import scanner_reports

    if not (json or host):
        print_result(scanner_reports.result(workspace(), number))
        return
    with scanner_reports.compared(workspace(), number, host=host) as comparison:
        hosts = tuple(comparison)
        if json:
            print_json(
                {"report": comparison.report, "hosts": hosts, "unplaced": comparison.unplaced}
            )
            return
        for one in hosts:
            print_host(one, comparison.how[one.host])
    if not hosts:
        typer.echo(f"Report {number} says nothing of {host}.")


@app.command()
def remove(number: Number) -> None:
    """Forget a report, and what it says of hosts."""
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import scanner_reports

    gone = scanner_reports.remove(workspace(), number)
    console().print(plain(f"Removed report {number} ({gone.name})."))
