"""``suture hosts``: who is in the fleet."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from suture.cli.options import AcceptNew, Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from suture.core.inventory import Host
    from suture.services.fleet import Changes, Details, Reached

_SHOWN = 20

app = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Enrol, list, test and remove hosts."
)

Labels = Annotated[
    list[str] | None, typer.Option("--label", "-l", help="A label; give it again for more.")
]
Names = Annotated[list[str], typer.Argument(help="Names of enrolled hosts.")]


@app.command()
def add(
    target: Annotated[str, typer.Argument(help="user@host[:port]")],
    name: Annotated[str, typer.Option(help="Name in the fleet (default: the address).")] = "",
    key: Annotated[
        str | None, typer.Option("--key", "-i", help="Private key file (default: the SSH agent).")
    ] = None,
    jump: Annotated[str | None, typer.Option("--jump", "-J", help="user@host[:port]")] = None,
    label: Labels = None,
    service: Annotated[
        str | None, typer.Option(help="Service that this host does its part of.")
    ] = None,
    criticality: Annotated[
        str | None, typer.Option(help="low, medium (default), high or critical")
    ] = None,
    exposure: Annotated[
        str | None, typer.Option(help="isolated, internal (default) or public")
    ] = None,
    ring: Annotated[str | None, typer.Option(help="Ring of the policy to patch it in.")] = None,
) -> None:
    """Enrol a host, or change an enrolled one of the same name.

    A change leaves alone what is not given; an empty word ('') empties it.
    """
    from suture.cli.workspace import workspace
    from suture.services import fleet

    changes = fleet.enrol(
        workspace(),
        target,
        name=name,
        key=key,
        jump=jump,
        labels=None if label is None else tuple(label),
        service=service,
        criticality=criticality,
        exposure=exposure,
        ring=ring,
    )
    _report(changes)


@app.command("import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(
            help="Ansible inventory: INI, YAML, or of ansible-inventory --list; - for stdin."
        ),
    ],
) -> None:
    """Enrol the hosts of an Ansible inventory; its groups become labels."""
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import fleet

    changes, warnings = fleet.import_ansible(workspace(), file)
    for warning in warnings:
        console(stderr=True).print(plain(f"warning: {warning}", "yellow"))
    _report(changes)


@app.command("list")
def list_(label: Labels = None, json: Json = False) -> None:
    """The enrolled hosts, and when each was last seen."""
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import fleet

    found = fleet.listing(workspace(), tuple(label or ()))
    if json:
        print_json({"hosts": found})
    else:
        _print_hosts(found, label or ())


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="Name of an enrolled host.")], json: Json = False
) -> None:
    """Everything known about one host."""
    from suture.cli.output import print_json
    from suture.cli.workspace import workspace
    from suture.services import fleet

    details = fleet.details(workspace(), name)
    if json:
        print_json(details)
    else:
        _print_details(details)


@app.command()
def remove(names: Names) -> None:
    """Take hosts out of the fleet; what was recorded about them stays as evidence."""
    from suture.cli.output import console, plain
    from suture.cli.workspace import workspace
    from suture.services import fleet

    fleet.remove(workspace(), tuple(names))
    console().print(plain(f"Removed {', '.join(names)}."))


@app.command()
def test(
    names: Annotated[list[str] | None, typer.Argument(help="Hosts to test (default: all).")] = None,
    accept_new: AcceptNew = False,
    forget_key: Annotated[
        bool,
        typer.Option(
            "--forget-key",
            help="Forget the named hosts' pinned keys first, after you compared the new ones.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Reach the hosts and check that everything needed is there; nothing is changed on them."""
    from suture.cli.asking import confirm_host_key
    from suture.cli.output import print_json
    from suture.cli.workspace import run, workspace
    from suture.services import fleet

    results = run(
        fleet.test(
            workspace(),
            tuple(names or ()),
            ask=confirm_host_key,
            accept_new=accept_new,
            forget_key=forget_key,
        )
    )
    if json:
        print_json({"hosts": results})
    else:
        _print_reached(results)
    if any(result.failure for result in results):
        raise typer.Exit(3)


def _report(changes: Changes) -> None:
    from suture.cli.output import console, plain

    parts = [
        f"{len(names)} {what}"
        for what, names in (
            ("added", changes.added),
            ("changed", changes.changed),
            ("unchanged", changes.unchanged),
        )
        if names
    ]
    out = console()
    out.print(plain("Hosts: " + (", ".join(parts) or "none") + "."))
    for difference in changes.differences[:_SHOWN]:
        out.print(plain(f"  {difference}"))
    if len(changes.differences) > _SHOWN:
        out.print(plain(f"  and {len(changes.differences) - _SHOWN} more", "dim"))
    err = console(stderr=True)
    for same in changes.shared[:_SHOWN]:
        err.print(plain(f"warning: {same}; it would count as several hosts", "yellow", limit=1500))
    if (more := len(changes.shared) - _SHOWN) > 0:
        err.print(plain(f"and {more:,} more addresses with several names", "yellow"))
    if changes.shared:
        err.print(plain("Take the names that are too many out: suture hosts remove NAME", "yellow"))


def _print_hosts(found: tuple[Details, ...], labels: Sequence[str]) -> None:
    from datetime import UTC, datetime

    from suture.cli.drills import proved
    from suture.cli.output import ago, console, plain, styled, table
    from suture.cli.workspace import workspace
    from suture.services import drills

    if not found and labels:
        console().print(plain(f"No host has the labels {', '.join(labels)}."))
        return
    if not found:
        console().print("No hosts yet. Add one: suture hosts add user@host")
        return
    now = datetime.now(UTC)
    drilled = {one.host: one for one in drills.proven(workspace())}
    made = table(
        "Host",
        "Address",
        "|Labels",
        "Service",
        "Criticality",
        "Exposure",
        "Ring",
        "Seen",
        "Way back proved",
    )
    for each in found:
        host = each.host
        made.add_row(
            plain(host.name),
            plain(_address(host)),
            plain(", ".join(host.labels)),
            plain(host.service or ""),
            styled(host.criticality),
            plain(host.exposure.value),
            plain(host.ring or ""),
            plain(
                ago(each.seen_at, now) if each.seen_at else "never", "" if each.seen_at else "dim"
            ),
            proved(drilled[host.name]) if host.name in drilled else plain("never", "dim"),
        )
    console().print(made)


def _address(host: Host) -> str:
    port = f":{host.port}" if host.port != 22 else ""
    return f"{host.user}@{host.address}{port}" + (f" via {host.jump}" if host.jump else "")


def _print_details(details: Details) -> None:
    from suture.cli.drills import proved
    from suture.cli.output import console, plain, table
    from suture.cli.workspace import workspace
    from suture.services import drills

    host = details.host
    made = table("", "|")
    made.show_header = False
    rows = [
        ("Address", _address(host)),
        ("Host key", ", ".join(details.fingerprints) or "not pinned yet"),
        ("Labels", ", ".join(host.labels) or "none"),
        ("Service", host.service or "none"),
        ("Criticality", host.criticality.value),
        ("Exposure", host.exposure.value),
        ("Ring", host.ring or "by the policy"),
        ("Seen", f"{details.seen_at:%Y-%m-%d %H:%M} UTC" if details.seen_at else "never"),
    ]
    seen = details.inventory
    if seen is not None:
        rows += [
            ("System", f"{seen.os.title} ({seen.arch})"),
            ("Kernel", seen.kernel.running + (" (container)" if seen.kernel.container else "")),
            ("Packages", f"{len(seen.packages.packages)}, {len(seen.updates)} with an update"),
            ("Held", ", ".join(seen.held) or "none"),
            ("Third party", ", ".join(seen.third_party) or "none"),
            (
                "Listening",
                ", ".join(
                    sorted(
                        {
                            f"{one.port}/{one.protocol} {one.unit or one.process}"
                            for one in seen.listeners
                        }
                    )
                )
                or "nothing",
            ),
            (
                "Restart",
                ", ".join(sorted({one.unit or one.command for one in seen.stale})) or "none",
            ),
            ("Reboot", "required" if seen.reboot_required else "not required"),
            (
                "Updaters",
                ", ".join(one.name for one in seen.updaters if one.active or one.enabled) or "none",
            ),
            ("Free", ", ".join(f"{one.mount} {one.free / 1e9:.1f} GB" for one in seen.disks)),
            ("Clock", f"{seen.clock.skew_s:+.2f} s"),
        ]
        rows += [("Note", note) for note in seen.notes]
    for label, value in rows:
        made.add_row(plain(label, "bold"), plain(value, limit=2000))
    for one in drills.proven(workspace()):
        if one.host == host.name:
            made.add_row(plain("Way back proved", "bold"), proved(one))
    console().print(plain(host.name, "bold"))
    console().print(made)


def _print_reached(results: tuple[Reached, ...]) -> None:
    from suture.cli.output import console, plain, table

    made = table("Host", "Result", "|Details")
    for result in results:
        if result.failure:
            made.add_row(
                plain(result.host),
                plain(result.failure.kind.value, "red"),
                plain(f"{result.failure.message}\n{result.failure.remedy}", limit=2000),
            )
        else:
            made.add_row(plain(result.host), plain("ok", "green"), plain(result.summary))
    console().print(made)
