"""A plan's data backup as calls of the shell functions that keep it and put it back."""

from __future__ import annotations

import math

from suture.core.data_backups import DataBackup
from suture.core.planning.plan import HostPlan
from suture.hosts.shell import program, quote

_NOTHING = DataBackup()


def dump_seconds(plan: HostPlan) -> float:
    """What the dumps may take, each command in turn."""
    return 2.0 * sum(one.timeout_s for one in (plan.backup or _NOTHING).dumps)


def data_functions(plan: HostPlan) -> str:
    """``each_directory VERB`` and ``each_dump VERB``, and what they call."""
    backup = plan.backup or _NOTHING
    directories = (
        (str(number), one.path, str(math.ceil(one.max_bytes / 1024)), *one.units)
        for number, one in enumerate(backup.directories)
    )
    dumps = (
        (one.name, str(one.timeout_s), one.command, one.restore, one.verify) for one in backup.dumps
    )
    return (
        program("data")
        + _each("directory", [" ".join(map(quote, words)) for words in directories])
        + _each("dump", [" ".join(map(quote, words)) for words in dumps])
    )


def _each(kind: str, calls: list[str]) -> str:
    lines = [f'    "${{1}}_{kind}" {call} || return' for call in calls]
    return "\n".join([f"each_{kind}() {{", *lines, "    :", "}", ""])
