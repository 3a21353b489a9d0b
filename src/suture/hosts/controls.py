"""A plan's controls as calls of the shell functions that check, apply and revert each kind."""

from __future__ import annotations

from collections.abc import Iterable

from suture.core.controls import Control, fault
from suture.hosts.session import PatchSession
from suture.hosts.shell import program, quote
from suture.hosts.steps import UnfitPlanError


def control_functions(session: PatchSession) -> str:
    """The shell function ``each_control`` of the session's plan, and what it calls.

    Raises :class:`UnfitPlanError` for a control that no file could have held.
    """
    functions = program(
        "controls",
        "settings",
        OWN_KERNEL=int(session.settings.own_kernel),
        REBOOT=session.plan.reboot.value,
    )
    return functions + each_control(session.plan.controls)


def each_control(controls: Iterable[Control]) -> str:
    """``each_control VERB`` calls ``VERB_KIND ID …`` for each, and ends with the first that fails;
    its id is in ``$control`` then."""
    lines = ["each_control() {"]
    for control in controls:
        if problem := fault(control):
            raise UnfitPlanError(
                f"the plan's control {control.id!r:.60} is not valid ({problem}); "
                "correct its file and plan again"
            )
        kind, *words = _call(control)
        arguments = " ".join(quote(word) for word in (control.id, *words))
        lines.append(f'    control={quote(control.id)}; "${{1}}_{kind}" {arguments} || return')
    return "\n".join([*lines, "    :", "}", ""])


def _call(control: Control) -> tuple[str, ...]:
    """The kind, and what its functions take after the id."""
    if control.sysctl:
        return ("sysctl", control.sysctl.key, control.sysctl.value)
    if control.module:
        return ("module", control.module.name)
    if control.mask:
        return ("mask", control.mask.unit)
    assert control.setting
    one = control.setting
    optional = (one.reload or "", one.validate or "")
    return ("setting", one.file, one.format.value, one.section or "", one.key, one.value, *optional)
