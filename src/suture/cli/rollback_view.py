"""How a way back looks before it is gone, and what was not taken back after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from suture.cli.output import plain, table

if TYPE_CHECKING:
    from rich.console import Console

    from suture.hosts.rollback import Preview
    from suture.services.rollbacks import Proposal
    from suture.services.rollouts import RolloutView

_SHOWN_FILES = 8


def print_proposal(out: Console, proposal: Proposal) -> None:
    """Host by host: packages with both versions, files, and why not."""
    ready = len(proposal.ready)
    out.print(
        plain(f"Back from rollout {proposal.rollout}: ", "bold")
        + plain(f"{ready} of {len(proposal.hosts)} hosts can go back")
    )
    made = table("Host", "Package", "Now", "Back to")
    for host in proposal.hosts:
        for one in () if host.refusals else host.packages:
            made.add_row(
                plain(host.host),
                plain(one.package),
                plain(one.now or "not installed"),
                plain(one.before or "not installed"),
            )
    if made.row_count:
        out.print(made)
    for host in proposal.hosts:
        _print_files(out, host)
        for refused in host.refusals:
            out.print(
                plain(f"{host.host} stays as it is: ", "bold red")
                + plain(refused.reason, limit=1500)
            )
    if proposal.how.snapshot and ready:
        machines = f" Whole machines: {', '.join(h for h, _ in proposal.machines)}."
        out.print(
            plain(
                "FILE SYSTEMS GO BACK BY A REBOOT: all that was written since is lost."
                + (machines if proposal.machines else ""),
                "bold red",
            )
        )
    elif proposal.how.with_data and ready:
        out.print(
            plain(
                "DATA GOES BACK AS WELL: what was written since the patch is taken out of use. A "
                "copy of the directories as they are now stays in the bundle; of dumps none does.",
                "bold red",
            )
        )
    elif proposal.data and ready:
        out.print(
            plain(
                f"Data stays as it is now, with what was written since the patch: "
                f"{', '.join(proposal.data)}",
                "yellow",
            )
        )


def _print_files(out: Console, host: Preview) -> None:
    if host.refusals:
        return
    said = (
        ("put back", host.restored),
        ("removed", host.removed),
        ("kept as changed since", (*host.kept, *host.conflicts)),
    )
    for what, paths in said:
        if paths:
            more = f" and {len(paths) - _SHOWN_FILES} more" if len(paths) > _SHOWN_FILES else ""
            out.print(plain(f"{host.host} {what}: {', '.join(paths[:_SHOWN_FILES])}{more}", "dim"))


def print_left(out: Console, view: RolloutView, proposal: Proposal) -> tuple[str, ...]:
    """The hosts that were wanted and are not back; says why those that were to go back wait."""
    phases = {host.host: host.phase.value for host in view.rollout.state.hosts}
    if view.rollout.state.asked:
        for action in view.waiting:
            out.print(plain(action.reason))
    return tuple(host.host for host in proposal.hosts if phases[host.host] != "rolled-back")
