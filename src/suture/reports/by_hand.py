"""A plan as people do it by hand: the shell commands of one host, for runbook and playbook alike.

The same order as Suture's own: what has to hold, the way back, the very bytes of the plan, restart
or reboot, what has to hold again. All that is not a constant is quoted for the shell.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import NamedTuple

from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import HostPlan, Plan
from suture.core.rollout.limits import Room
from suture.core.selection.ledger import Change

ROOT = "/var/lib/suture/by-hand"


class NoRoomError(ValueError):
    """Limits of the plan that leave no room for a host, whatever the order."""


class Commands(NamedTuple):
    """Each a list of commands, run as root in one shell, that stop at the first that fails."""

    before: list[str]
    bundle: list[str]
    download: list[str]
    install: list[str]
    restart: list[str]
    after: list[str]
    way_back: list[str]


def commands(plan: Plan, host: HostPlan) -> Commands:
    place = f"{ROOT}/{plan.id}"
    checks = [line for one in host.checks for line in check(one)]
    kept = [one for one in host.changes if one.before is not None]
    added = [name(one) for one in host.changes if one.before is None]
    back = [f"apt-get install -y --allow-downgrades {place}/before/*.deb"] if kept else []
    if added:
        back.append(f"apt-get remove -y {_words(added)}")
    return Commands(
        before=[*_installed(host.changes, before=True), *checks],
        bundle=[
            f"mkdir -p -m 0700 {place}/before {place}/patch",
            f"cd {place}/before",
            *(_fetch(one) for one in kept),
            "tar -czf etc.tar.gz -C / etc",
            "tar -tzf etc.tar.gz >/dev/null",
            "apt-mark showhold >holds",
            "dpkg-query -W >packages",
        ],
        download=[
            f"cd {place}/patch",
            "rm -f -- *.deb",
            f"apt-get download {_words(pinned(one) for one in host.changes)}",
            f"printf '%s\\n' {_words(sorted(one.sha256 for one in host.changes))} >SHA256SUMS",
            "sha256sum -- *.deb | cut -d ' ' -f 1 | sort | diff SHA256SUMS -",
        ],
        install=[
            "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-remove "
            f"-o Dpkg::Options::=--force-confold {place}/patch/*.deb"
        ],
        restart=[f"systemctl restart {shlex.quote(unit)}" for unit in host.restarts],
        after=[*_installed(host.changes, before=False), *checks],
        way_back=[*back, *(f"systemctl restart {shlex.quote(unit)}" for unit in host.restarts)],
    )


def beyond(host: HostPlan) -> list[str]:
    """What else the plan does there, which these commands do not: people see to it themselves."""
    more = [f"the control {control.id}" for control in host.controls]
    more += [f"the hook {hook.when.value}" for hook in host.hooks]
    return more + (["backups of data"] if host.backup else [])


def check(one: HealthCheck) -> list[str]:
    """Commands that succeed where the check passes. Certificates are not judged, as on the host
    itself: the name under which it asks itself is seldom in them."""
    seconds = max(1, round(one.timeout_s))
    target = shlex.quote(one.target)
    match one.kind:
        case HealthCheckKind.UNIT:
            return [f"systemctl is-active --quiet -- {target}"]
        case HealthCheckKind.PORT:
            address, _, port = one.target.rpartition(":")
            address = address.strip("[]*") or "127.0.0.1"
            socket = shlex.quote(f"</dev/tcp/{address}/{port}")
            return [f"timeout {seconds} bash -c {socket}"]
        case HealthCheckKind.HTTP:
            curl = f"curl -gksS -m {seconds}"
            status = f"{curl} -o /dev/null -w '%{{http_code}}' -- {target}"
            found = f"{curl} -- {target} | grep -qF -- {shlex.quote(one.body)}"
            return [f'[ "$({status})" = {one.status} ]', *([found] if one.body else [])]
        case HealthCheckKind.COMMAND:
            return [f"timeout {seconds} sh -c {target}"]
        case HealthCheckKind.FILE:
            return _file(one, target)


def _file(one: HealthCheck, path: str) -> list[str]:
    """That it is there, and as it should be as far as the check says."""
    commands = [f"test -e {path}"]
    if one.mode:
        commands.append(f'[ "$((0$(stat -L -c %a -- {path})))" = {int(one.mode, 8)} ]')
    if one.owner:
        commands.append(f'[ "$(stat -L -c %U:%G -- {path})" = {shlex.quote(one.owner)} ]')
    if one.sha256:
        given = shlex.quote(f"{one.sha256}  -")
        commands.append(f"sha256sum <{path} | grep -qxF -- {given}")
    if one.body:
        commands.append(f"grep -qF -e {shlex.quote(one.body)} -- {path}")
    return commands


def name(change: Change) -> str:
    """As apt takes it."""
    return change.package if change.arch == "all" else change.key


def pinned(change: Change) -> str:
    return f"{name(change)}={change.after}"


def batches(plan: Plan, hosts: Iterable[str], parallel: int) -> list[list[str]]:
    """The hosts of a wave in their order, cut where the next one would break a limit of the plan.

    Raises :class:`NoRoomError` where a host would break one all alone.
    """
    cut: list[list[str]] = []
    room = Room(plan, parallel)
    for host in hosts:
        if not cut or room.refusal(host):
            room = Room(plan, parallel)
            if why := room.refusal(host):
                raise NoRoomError(f"{host}: {why}")
            cut.append([])
        room.take(host, at_work=True)
        cut[-1].append(host)
    return cut


def _installed(changes: Iterable[Change], *, before: bool) -> list[str]:
    """That each package is at the version that the plan assumes or brings."""
    wanted = ((one, one.before if before else one.after) for one in changes)
    return [
        f"[ \"$(dpkg-query -W -f '${{Version}} ${{Status}}' {shlex.quote(name(one))})\" = "
        f"{shlex.quote(f'{version} install ok installed')} ]"
        for one, version in wanted
        if version is not None
    ]


def _fetch(change: Change) -> str:
    """The installed version from the archive, or packed again from the host where it is gone."""
    old = shlex.quote(f"{name(change)}={change.before}")
    return f"apt-get download {old} || dpkg-repack {shlex.quote(name(change))}"


def _words(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))
