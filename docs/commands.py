"""Writes ``docs/commands.md`` from the command line itself: ``python -m docs.commands``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from suture.cli.main import app

PAGE = Path(__file__).with_suffix(".md")

_HEAD = """\
# Commands

<!-- Written by `python -m docs.commands` from the commands' own help; a test compares them. -->

Every command has `--help`. Every listing has `--json`: one JSON document on standard output, all
else on standard error. The shape of `scan --json` is [documented and kept stable](scan-json.md).

An id may be shortened to its beginning. `latest` is the newest plan or rollout.

## Exit codes

| Code | Meaning |
| --- | --- |
| 0 | Done, or nothing found |
| 1 | The answer is no: findings at or above `--fail-on`; a rehearsal, verification, lint or evidence check that failed; two plans that differ; a rollout that took something back |
| 2 | Usage, configuration, a refusal, or a thing that does not exist |
| 3 | A host could not be reached or assessed |
| 4 | A person must decide: a rollout is paused or waits for approval, a rehearsal is inconclusive |
| 70 | A defect of Suture's: the traceback is what to report |
| 130 | Interrupted |
| 141 | Nobody reads the output any more, as in `suture findings \\| head` |

A command's own section says what its codes mean where that is more exact.

## Environment

| Variable | Meaning |
| --- | --- |
| `SUTURE_HOME` | Directory of the installation, as `--home` |
| `SUTURE_DATABASE` | URL of the database (default: SQLite in the directory) |
| `SSH_AUTH_SOCK` | The SSH agent to take keys from |
"""  # noqa: E501


def page() -> str:
    """The whole page."""
    command: Any = typer.main.get_command(app)
    options = ("## suture\n", f"{command.help}\n", *_parameters(command))
    parts = [_HEAD, *options, *_sections(command, "suture")]
    return "\n".join(parts)


def _sections(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        whole = f"{path} {name}"
        if hasattr(command, "commands"):
            yield from _sections(command, whole)
            continue
        yield f"## {whole}\n"
        yield f"```console\n$ {_usage(command, whole)}\n```\n"
        yield f"{command.help.strip()}\n"
        yield from _parameters(command)


def _usage(command: Any, path: str) -> str:
    arguments = [_argument(one) for one in command.params if not one.opts[0].startswith("-")]
    return " ".join((path, "[OPTIONS]", *arguments))


def _argument(parameter: Any) -> str:
    name = parameter.metavar or parameter.name.upper().rstrip("_")
    name = f"{name}..." if parameter.nargs == -1 else name
    return name if parameter.required else f"[{name}]"


def _parameters(command: Any) -> Iterator[str]:
    rows = [row for one in command.params if (row := _row(one)) is not None]
    if rows:
        yield "| Argument or option | |\n| --- | --- |"
        yield "\n".join(rows) + "\n"


def _row(parameter: Any) -> str | None:
    if parameter.name in ("install_completion", "show_completion"):
        return None
    is_option = parameter.opts[0].startswith("-")
    names = [*parameter.opts, *parameter.secondary_opts] if is_option else [_argument(parameter)]
    text = (parameter.help or "").replace("|", "\\|")
    if is_option and str(parameter.type_descriptor.annotation).startswith("list"):
        text += " Repeatable."
    if parameter.default not in (None, False, True, ""):
        text += f" Default: `{parameter.default}`."
    return f"| {', '.join(f'`{name}`' for name in names)} | {text} |"


if __name__ == "__main__":
    PAGE.write_text(page())
