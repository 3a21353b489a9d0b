"""A plan as people do it by hand: the shell commands of one host, for runbook and playbook alike.

The same order as Suture's own: what has to hold, the way back, the very bytes of the plan, restart
or reboot, what has to hold again. All that is not a constant is quoted for the shell, and nothing
of it stands between double quotes, where a terminal would take a ``!`` for its history.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import NamedTuple

from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.expectations import kernels
from suture.core.planning.plan import HostPlan, Plan, RebootRule
from suture.core.planning.restarts import LEFT_RUNNING
from suture.core.rollout.limits import Room
from suture.core.selection.ledger import Change

ROOT = "/var/lib/suture/by-hand"

_QUIET = "export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1 NEEDRESTART_SUSPEND=1"
# Without archives apt cannot reach for anything but the files that it is given.
_INSTALL = (
    "apt-get install -q -y --no-install-recommends -o Dir::Etc::sourcelist=/dev/null "
    "-o Dir::Etc::sourceparts=/dev/null -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= "
    "-o APT::Sandbox::User=root -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confdef "
    "-o Dpkg::Options::=--force-confold"
)
_DOWNLOAD = "apt-get download -q -o APT::Sandbox::User=root"
_REPLACED = "'^[^ ]+ ..x. [^/]*/(usr|lib|lib32|lib64|bin|sbin|opt|snap)/.* [(]deleted[)]$'"
# Of a line of /proc/PID/cgroup, unless it is a unit within another: that is a container's.
_UNIT = (
    "'/[.](service|scope)[/].*[.](service|scope)/d; "
    "s,^(0::|[0-9]+:name=systemd:)/(.*/)?([^/]+[.]service)$,\\3,p'"
)
_STALE = (
    f"grep -slE {_REPLACED} /proc/[0-9]*/maps | sed 's/maps$/cgroup/' | "
    f"xargs -r sed -nE {_UNIT} | sort -u"
)
_RESTART_STALE = [
    f"if grep -qE {_REPLACED} /proc/1/maps; then systemctl daemon-reexec; fi",
    f"{_STALE} | grep -vE '{LEFT_RUNNING}' | xargs -r -d '\\n' systemctl restart",
]
ASKS_REBOOT = f"test -e /run/reboot-required || {_STALE} | grep ."
"""Succeeds where the host asks for it, or units still run what was replaced after the restarts."""

_BOOT = "/proc/sys/kernel/random/boot_id"
_MARKS = "xargs -r apt-mark auto <{place}/before/automatic >/dev/null"


class NoRoomError(ValueError):
    """Limits of the plan that leave no room for a host, whatever the order."""


class Commands(NamedTuple):
    """Each a list of commands, run as root in one bash, that stop at the first that fails.

    ``unpatched`` and ``patched`` change nothing and fail where a package is at another version;
    so does ``same_kernel`` where another kernel runs than before the plan. It is empty where the
    plan brings no kernel, or forbids the reboot that would end it.
    """

    unpatched: list[str]
    health: list[str]
    bundle: list[str]
    download: list[str]
    install: list[str]
    restart: list[str]
    patched: list[str]
    way_back: list[str]
    same_kernel: list[str]


def commands(plan: Plan, host: HostPlan) -> Commands:
    place = f"{ROOT}/{plan.id}"
    restart = [f"systemctl restart {shlex.quote(unit)}" for unit in host.restarts]
    return Commands(
        unpatched=_versions(host.changes, before=True),
        health=[line for one in host.checks for line in check(one)],
        bundle=_bundle(place, host.changes),
        download=_download(place, host.changes),
        install=_install(place, host.changes),
        restart=[*restart, *_RESTART_STALE],
        patched=_versions(host.changes, before=False),
        way_back=[*_way_back(place, host.changes), *restart, *_RESTART_STALE],
        same_kernel=_same_kernel(place, host),
    )


def reboot(host: HostPlan) -> RebootRule:
    """A kernel asks for its reboot in no file on every distribution; the plan knows of it."""
    return RebootRule.ALWAYS if host.reboot_expected else host.reboot


def same_boot(plan: Plan) -> str:
    """Succeeds where the host was not rebooted since its way back was put on disk."""
    return f"grep -qxFf {ROOT}/{plan.id}/before/boot_id {_BOOT}"


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
            status = f"{curl} -o /dev/null -w '%{{http_code}}\\n' -- {target}"
            found = f"{curl} -- {target} | grep -F -- {shlex.quote(one.body)} >/dev/null"
            return [f"{status} | grep -qx {one.status}", *([found] if one.body else [])]
        case HealthCheckKind.COMMAND:
            return [f"timeout {seconds} sh -c {target} </dev/null"]
        case HealthCheckKind.FILE:
            return _file(one, target)


def _file(one: HealthCheck, path: str) -> list[str]:
    """That it is there, and as it should be as far as the check says."""
    commands = [f"test -e {path}"]
    if one.mode:
        commands.append(f"stat -L -c %a -- {path} | grep -qx {int(one.mode, 8):o}")
    if one.owner:
        commands.append(f"stat -L -c %U:%G -- {path} | grep -qxF -- {shlex.quote(one.owner)}")
    if one.sha256:
        given = shlex.quote(f"{one.sha256}  -")
        commands.append(f"sha256sum <{path} | grep -qxF -- {given}")
    if one.body:
        commands.append(f"grep -qF -e {shlex.quote(one.body)} -- {path}")
    return commands


def name(change: Change) -> str:
    """As apt takes it."""
    return change.package if change.arch == "all" else change.key


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


def _versions(changes: Iterable[Change], *, before: bool) -> list[str]:
    """That each package is at the version that the plan assumes or brings, a new one absent before
    and there after."""
    versions = {one: one.before if before else one.after for one in changes}
    if not versions:
        return []
    query = "dpkg-query -W -f '${Package}:${Architecture} ${Version} ${db:Status-Status}\\n'"
    return [
        _same(
            (f"{one.key} {version} installed" for one, version in versions.items() if version),
            f"{query} {_words(map(name, versions))} 2>/dev/null | grep ' installed$'",
        )
    ]


def _bundle(place: str, changes: Iterable[Change]) -> list[str]:
    """All that the way back needs, read back; ``complete`` comes last."""
    kept = [one for one in changes if one.before is not None]
    inside = "dpkg-deb --show --showformat '${Package}:${Architecture} ${Version}\\n'"
    reads = [
        _same(
            (f"{one.key} {one.before}" for one in kept),
            f"for deb in *.deb; do dpkg-deb --fsys-tarfile $deb >/dev/null && {inside} $deb; done",
        )
    ]
    return [
        "umask 077",
        f"mkdir -p {place}/before {place}/patch",
        f"cd {place}/before",
        "rm -f complete *.deb",
        *(_fetch(one) for one in kept),
        *(reads if kept else []),
        "tar -czf etc.tar.gz -C / etc",
        "tar -tzf etc.tar.gz >/dev/null",
        "apt-mark showauto >automatic",
        "uname -rv >kernel",
        f"cat {_BOOT} >boot_id",
        "touch complete",
    ]


def _download(place: str, changes: Iterable[Change]) -> list[str]:
    if not changes:
        return []
    pinned = (f"{name(one)}={one.after}" for one in changes)
    return [
        f"cd {place}/patch",
        "rm -f *.deb",
        f"{_DOWNLOAD} {_words(pinned)}",
        _same((one.sha256 for one in changes), "sha256sum -- *.deb | cut -d ' ' -f 1"),
    ]


def _install(place: str, changes: Iterable[Change]) -> list[str]:
    """apt takes local files for the administrator's own choice; the marks are put back."""
    if not changes:
        return []
    added = [name(one) for one in changes if one.before is None]
    return [
        f"test -e {place}/before/complete",
        _QUIET,
        f"{_INSTALL} --no-remove {place}/patch/*.deb </dev/null",
        _MARKS.format(place=place),
        *([f"apt-mark auto {_words(added)} >/dev/null"] if added else []),
    ]


def _way_back(place: str, changes: Iterable[Change]) -> list[str]:
    """The old packages in one step with the removal of new ones. What else differs below ``/etc``
    is shown: whose change it was, a person knows."""
    files = [f"{place}/before/*.deb"] if any(one.before is not None for one in changes) else []
    added = [shlex.quote(f"{name(one)}-") for one in changes if one.before is None]
    what = " ".join((*files, *added))
    options = "--purge --allow-downgrades --allow-change-held-packages"
    return [
        f"test -e {place}/before/complete",
        *([_QUIET, f"{_INSTALL} {options} {what} </dev/null"] if what else []),
        _MARKS.format(place=place),
        f"tar -df {place}/before/etc.tar.gz -C / || true",
    ]


def _same_kernel(place: str, host: HostPlan) -> list[str]:
    """Nothing was changed where no way back was put on disk."""
    if not kernels(host.changes) or host.reboot is RebootRule.NEVER:
        return []
    return [f"! test -e {place}/before/complete || uname -rv | diff {place}/before/kernel -"]


def _same(wanted: Iterable[str], found: str) -> str:
    """A command that fails where the lines differ, and shows them: ``<`` wanted, ``>`` found."""
    lines = sorted(wanted)
    printed = f"printf '%s\\n' {_words(lines)}" if lines else "true"
    return f"diff <({printed}) <({found} | LC_ALL=C sort)"


def _fetch(change: Change) -> str:
    """The installed version from the archive, or packed again from the host where it is gone."""
    old = shlex.quote(f"{name(change)}={change.before}")
    return f"{_DOWNLOAD} {old} || dpkg-repack {shlex.quote(name(change))}"


def _words(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))
