"""``python -m lab up|status|down|clean``: a fleet of real hosts to try things on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer
import yaml

from lab import fleet, places, requirements, roots
from lab.archives import NoArchivesError
from lab.fleet import Lab, LabHost, Wanted
from suture.twin.containers import ContainerError

app = typer.Typer(help="Real hosts on this machine, to try things on.", add_completion=False)


@app.command()
def up(
    hosts: Annotated[int, typer.Option(help="How many.", min=1, max=64)] = 4,
    suite: Annotated[str | None, typer.Option(help="Release; this machine's by default.")] = None,
) -> None:
    """Boot a fleet that stays until `down`, and write an inventory of it."""
    with _alone():
        _raise_fleet(hosts, suite)


def _raise_fleet(hosts: int, suite: str | None) -> None:
    if fleet.standing():
        typer.echo(f"A fleet is up already, {fleet.whose()}.")
        typer.echo("See `python -m lab status`, or take it `down` first.")
        raise typer.Exit(1)
    wanted = tuple(_wanted(hosts, suite))
    for flavour in sorted({one.flavour for one in wanted}):
        began = time.monotonic()
        root = roots.root(flavour, suite)
        typer.echo(f"root {root.name}: ready after {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    lab = Lab(stay=True)
    try:
        booted = lab.boot(*wanted)
        _inventory_file(booted).write_text(_inventory(booted))
    except BaseException:
        lab.close()
        raise
    typer.echo(f"{len(booted)} hosts: up after {time.monotonic() - began:.1f} s")
    _show(booted)


@app.command()
def status() -> None:
    """Show the fleet that stays, and how to log in."""
    if hosts := fleet.standing():
        typer.echo(f"The fleet {fleet.whose()}:")
        _show(hosts)
    else:
        typer.echo("No fleet is up; `python -m lab up` boots one.")


@app.command()
def down() -> None:
    """Remove the fleet that stays, whoever raised it: a machine has one."""
    with _alone():
        whose = fleet.whose()
        names = fleet.remove_standing()
    typer.echo(f"Removed {', '.join(names)}; {whose}." if names else "No fleet was up.")


@app.command()
def clean() -> None:
    """Remove every host that nobody uses, and the roots they are made from."""
    with _alone():
        removed = (*fleet.remove_standing(), *fleet.clean())
    typer.echo(f"Hosts removed: {', '.join(removed) or 'none'}")
    if fleet.are_there_hosts():
        typer.echo("Roots kept: hosts of a running process stand on them.")
        raise typer.Exit(1)
    typer.echo(f"Roots removed from {places.cache()}: {places.discard_cache()}")


def _alone() -> AbstractContextManager[None]:
    """Whoever raises or removes the fleet waits for the one who is at it."""
    return places.locked(places.hosts() / "fleet.lock")


def _wanted(count: int, suite: str | None) -> Iterator[Wanted]:
    """Every fourth one is of the other flavour; the first two do one job together."""
    for number in range(1, count + 1):
        flavour = "app" if number % 4 == 0 else "web"
        service = "shop" if number <= 2 else None
        yield Wanted(f"{flavour}{number}", flavour, suite, labels=(flavour,), service=service)


def _show(hosts: Sequence[LabHost]) -> None:
    for host in hosts:
        state = "up" if host.container.leader else "down"
        typer.echo(f"{host.name}  {state}  {host.ssh_command}")
    inventory = _inventory_file(hosts)
    if inventory.exists():
        typer.echo(f"To enrol them: suture hosts import {inventory}")


def _inventory_file(hosts: Sequence[LabHost]) -> Path:
    """Beside the key that opens them."""
    return Path(hosts[0].made.key).with_name("inventory.yml")


def _inventory(hosts: Sequence[LabHost]) -> str:
    """In Ansible's YAML; groups become labels."""
    variables = {host.name: _variables(host) for host in hosts}
    groups = {
        label: {"hosts": {host.name: None for host in hosts if label in host.made.labels}}
        for label in sorted({label for host in hosts for label in host.made.labels})
    }
    return str(yaml.safe_dump({"all": {"hosts": variables, "children": groups}}, sort_keys=False))


def _variables(host: LabHost) -> dict[str, str | int]:
    made = host.made
    connection: dict[str, str | int] = {
        "ansible_host": made.address,
        "ansible_port": made.ssh_port,
        "ansible_user": "root",
        "ansible_ssh_private_key_file": made.key,
    }
    return connection | ({"suture_service": made.service} if made.service else {})


def main() -> None:
    if missing := requirements.missing():
        typer.echo("\n".join(("The lab needs:", *(f"  {what}" for what in missing))), err=True)
        raise SystemExit(2)
    try:
        app()
    except (ContainerError, NoArchivesError, roots.RootError) as error:
        typer.echo(str(error), err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
