"""The ``suture`` command: parses, calls a service, renders.

Exit codes, the same for every command: 0 done, or nothing found; 1 the answer is no (findings at
or above ``--fail-on``, a failed rehearsal, verification, lint or evidence check, a rollout that
took something back); 2 usage, configuration, or a thing that does not exist; 3 a host could not
be reached or assessed; 4 paused, a person must decide; 70 a defect of Suture's; 130 interrupted;
141 nobody reads the output any more. What is cut off or crashes never ends as an answer would.
"""

from __future__ import annotations

import gc
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from suture import __version__
from suture.cli import (
    backups,
    controls,
    databases,
    drills,
    evidence,
    exceptions,
    feeds,
    findings,
    hosts,
    openscap,
    plans,
    policies,
    reports,
    rollbacks,
    rollouts,
    scan,
    simulate,
    workers,
)

app = typer.Typer(
    name="suture",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Closes vulnerabilities on server fleets: find, rank, rehearse, roll out, prove, "
    "take back. Start with: suture scan user@host",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"suture {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    home: Annotated[
        Path | None,
        typer.Option(
            envvar="SUTURE_HOME",
            help="Directory of this installation (default: ~/.local/share/suture).",
        ),
    ] = None,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    if home is not None:
        os.environ["SUTURE_HOME"] = str(home)


app.command("scan")(scan.scan)
app.add_typer(hosts.app, name="hosts")
app.add_typer(feeds.app, name="feeds")
app.command("openscap")(openscap.openscap)
app.command("import")(reports.import_)
app.add_typer(reports.app, name="reports")
app.command("findings")(findings.findings)
app.command("explain")(findings.explain)
app.command("sbom")(findings.sbom)
app.add_typer(exceptions.app, name="exception")
app.add_typer(policies.app, name="policy")
app.add_typer(controls.app, name="control")
app.add_typer(plans.app, name="plan")
app.command("simulate")(simulate.simulate)
app.command("rehearse")(plans.rehearse)
app.add_typer(drills.app, name="drill")
app.add_typer(rollouts.app, name="rollout")
app.command("verify")(rollouts.verify)
app.command("rollback")(rollbacks.rollback)
app.add_typer(backups.app, name="backups")
app.add_typer(workers.app, name="worker")
app.add_typer(databases.app, name="db")
app.add_typer(evidence.app, name="evidence")


def main() -> None:
    """Entry point; expected failures become a message with its remedy and an exit code."""
    # Documents by the hundred thousand hold no cycles: looking for some took an eighth of the time.
    gc.freeze()
    gc.set_threshold(50_000)
    _require_output()
    _write_whole()
    try:
        app(prog_name="suture")
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit as ended:
        if not isinstance(ended.__context__, BrokenPipeError):
            raise
        _discard_output()  # Typer and rich end with 1 here
        sys.exit(141)
    except Exception as error:
        from suture.cli.failures import report

        code = report(error)
        if code is None:
            sys.excepthook(type(error), error, error.__traceback__)
            code = 70
        _discard_output()
        sys.exit(code)


def _require_output() -> None:
    """The next file that is opened gets the number of a stream that is closed, and would have what
    is meant for the stream written over it: a database, for one."""
    closed = sys.stdout is None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 (until the end)
    if closed:
        sys.stderr.write(
            "suture: standard output is closed; nothing was done\n"
            "        To have the output thrown away, write: suture … >/dev/null\n"
        )
        sys.exit(2)


def _write_whole() -> None:
    """Where the environment asks for no buffer, a write that a full disk or a reader who leaves
    cuts short would be taken for done."""
    if isinstance(getattr(sys.stdout, "buffer", None), io.RawIOBase):
        sys.stdout = open(  # noqa: SIM115 (for the rest of the process)
            sys.stdout.fileno(), "w", encoding=sys.stdout.encoding, closefd=False
        )


def _discard_output() -> None:
    """So that what could not be written is not tried again at the end, which has its own code."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
