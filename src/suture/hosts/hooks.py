"""Hooks as steps: on the controller as processes, on the host as transactions.

On the host a hook runs once in each attempt, like everything there. On the controller it may run
again after a crash in its middle, so it has to stand that: draining what is drained is no error.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from suture.core.evidence import Check, Step, StepReport, Verdict
from suture.core.planning.hooks import PHASE_OF, Hook, HookPhase, Place
from suture.hosts.commands import run_command
from suture.hosts.session import PatchSession
from suture.hosts.shell import printable, program
from suture.hosts.steps import Outcome, conclude, perform, settle
from suture.hosts.transaction import LOG_TAIL

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_MOST_ENVIRONMENT = 65_536
_LEAST_SECRET = 4  # characters: what is shorter is not told from other text
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSH_AUTH_SOCK")


async def run_hooks(session: PatchSession, step: Step, variables: Mapping[str, str]) -> StepReport:
    """Run the plan's hooks of this step in their order, up to the first that fails; of an undrain
    each, for one that failed is no reason to leave the rest out. ``variables`` are theirs."""
    phase = PHASE_OF[step]
    hooks = [hook for hook in session.plan.hooks if hook.when is phase]
    variables = {**variables, "SUTURE_PHASE": phase.value}

    async def body() -> Outcome:
        checks: list[Check] = []
        log = ""
        for number, hook in enumerate(hooks, 1):
            if hook.run is Place.HOST:
                check, output = await _on_host(session, f"{step.value}-{number}", hook, variables)
            else:
                check, output = await _on_controller(hook, variables)
            checks.append(check)
            log = (log + output)[-LOG_TAIL:]
            if check.verdict is not Verdict.PASS and phase is not HookPhase.UNDRAIN:
                break
        verdict, reason = conclude(checks)
        return Outcome(verdict, reason, checks=tuple(checks), log=log)

    return await perform(session, step, body, transaction=False, mutates=False)


async def _on_host(
    session: PatchSession, name: str, hook: Hook, variables: Mapping[str, str]
) -> tuple[Check, str]:
    script = program("common", COMMAND=hook.command, TIMEOUT_S=int(hook.timeout_s), **variables)
    script += f"export {' '.join(variables)}\n" + program("hook")
    receipt = await session.transact(name, script)
    _, failed = settle(receipt)
    where = f"{hook.command:.200} on the host"
    if failed:
        return Check(where, failed.verdict, failed.reason), receipt.log
    return Check(where, Verdict.PASS, "exit status 0"), receipt.log


async def _on_controller(hook: Hook, variables: Mapping[str, str]) -> tuple[Check, str]:
    where = f"{hook.command:.200} on the controller"
    try:
        secrets = read_environment(Path(hook.environment)) if hook.environment else {}
    except ValueError as error:
        return Check(where, Verdict.FAIL, str(error)), ""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment = {**kept, **secrets, **variables}
    status, output = await run_command(
        ("/bin/sh", "-c", hook.command), environment, timeout_s=hook.timeout_s
    )
    for value in sorted(secrets.values(), key=len, reverse=True):
        if len(value) >= _LEAST_SECRET:
            output = output.replace(value.encode(), b"***")
    log = printable(output[-LOG_TAIL:])
    if status is None:
        return Check(where, Verdict.FAIL, f"it was stopped after {hook.timeout_s:g} s"), log
    verdict = Verdict.PASS if status == 0 else Verdict.FAIL
    return Check(where, verdict, f"exit status {status}"), log


def read_environment(path: Path) -> dict[str, str]:
    """The variables of a file of ``NAME=value`` lines; raises :class:`ValueError` for a file that
    others may read, or that holds something else."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ValueError(f"{path} may be read by others; chmod 600 {path}")
        with path.open("rb") as file:
            text = file.read(_MOST_ENVIRONMENT + 1).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}; correct the hook") from None
    if len(text) > _MOST_ENVIRONMENT:
        raise ValueError(f"{path} is longer than {_MOST_ENVIRONMENT} characters")
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, is_set, value = line.partition("=")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if not is_set or not _NAME.fullmatch(name) or name.startswith("SUTURE_") or "\0" in value:
            raise ValueError(f"{path}:{number} is no NAME=value; correct it")
        found[name] = value
    return found
