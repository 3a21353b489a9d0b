"""Facts of 200 hosts at once: hosts a second and client CPU, beside Ansible's."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bench.measure import (
    Figure,
    Report,
    UnmetError,
    booted_lab,
    host_cpu_s,
    need,
    ratios,
    run_child,
)
from lab.fleet import LabHost, Wanted
from suture.core.inventory import Host, Inventory
from suture.core.policy import Concurrency
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import SshSettings
from suture.services import collecting

RUNS = 3
HOSTS, ANSIBLE_HOSTS, SERVERS = 200, 20, 2
FORKS = 50

_SSHD = """
printf 'MaxStartups 500\\nMaxSessions 500\\n' >/etc/ssh/sshd_config.d/bench.conf
systemctl reload ssh
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-apt >/dev/null
sleep 3  # what has just changed has no stamp yet
"""
_PLAYBOOK = [
    {
        "hosts": "all",
        "gather_facts": False,
        "tasks": [{"ansible.builtin.setup": {}}, {"ansible.builtin.package_facts": {}}],
    }
]


@dataclass(frozen=True)
class Fanout:
    """One collection of many hosts: seconds of wall clock, and of CPU at both ends."""

    hosts: int
    seconds: float
    cpu_s: float
    hosts_cpu_s: float = 0.0

    @property
    def rate(self) -> float:
        return self.hosts / self.seconds

    @property
    def client_cpu_ms(self) -> float:
        return 1000 * self.cpu_s / self.hosts

    @property
    def host_cpu_ms(self) -> float:
        return 1000 * self.hosts_cpu_s / self.hosts

    @property
    def cpu_ms(self) -> float:
        return self.client_cpu_ms + self.host_cpu_ms


def run(runs: int) -> Report:
    need("ansible-playbook", "ansible-core")
    ours, again, theirs, pipelined = [], [], [], []
    with booted_lab() as lab, tempfile.TemporaryDirectory() as scratch:
        servers = lab.boot(*(Wanted(f"bench-{number}") for number in range(SERVERS)))
        for server in servers:
            server.run(_SSHD)
        known = KnownHosts(Path(scratch) / "known_hosts")
        playbook = _Ansible(Path(scratch), _names(servers, ANSIBLE_HOSTS))
        many = _names(servers, HOSTS)
        before = _suture(many, known)[1]
        for _ in range(runs):
            ours.append(_with_hosts_cpu(servers, lambda: _suture(many, known)[0]))
            again.append(_with_hosts_cpu(servers, lambda: _suture(many, known, before)[0]))
            theirs.append(_with_hosts_cpu(servers, playbook.run))
            pipelined.append(_with_hosts_cpu(servers, lambda: playbook.run(pipelining=True)))
    return Report(
        title=f"fanout: the facts of {HOSTS} hosts at once",
        figures=(
            *_figures("", "Suture", ours),
            *_figures("again_", "Suture, again", again),
            *_figures("ansible_", "Ansible", theirs),
            *_figures("ansible_pipelined_", "Ansible with pipelining", pipelined),
            Figure(
                "ratio_to_ansible",
                "Suture ÷ Ansible, rates",
                _ratio("rate", ours, theirs),
                "×",
                "≥ 10",
            ),
            Figure(
                "ratio_to_ansible_again",
                "Suture, again ÷ Ansible, rates",
                _ratio("rate", again, theirs),
                "×",
                "≥ 10",
            ),
            Figure(
                "ratio_to_ansible_pipelined",
                "Suture ÷ Ansible with pipelining, rates",
                _ratio("rate", ours, pipelined),
                "×",
            ),
            Figure(
                "ratio_to_ansible_pipelined_again",
                "Suture, again ÷ the same",
                _ratio("rate", again, pipelined),
                "×",
            ),
            Figure(
                "ratio_cpu",
                "Ansible ÷ Suture, CPU at both ends",
                _ratio("cpu_ms", theirs, ours),
                "×",
            ),
            Figure(
                "ratio_client_cpu",
                "Ansible ÷ Suture, client CPU",
                _ratio("client_cpu_ms", theirs, ours),
                "×",
            ),
        ),
        caveats=(
            f"{HOSTS} names for {SERVERS} lab hosts, each with a connection of its own; "
            "MaxStartups and MaxSessions of their sshd are raised to 500.",
            "Suture's first collection of a host reads all of it; `again` is every later one while "
            "no package, package list or setting of apt changes: the host tells its packages by a "
            "stamp, and everything else in full. Ansible has no such difference.",
            f"Suture keeps its default of {Concurrency().total} connections at once.",
            f"Ansible: `setup` and `package_facts` in one play on {ANSIBLE_HOSTS} names of "
            f"the same hosts, forks={FORKS} (its default is 5), once as it comes and once with "
            "pipelining on; its rate is taken as the same for more hosts. The CPU of its ssh "
            "masters that stay in the background is not counted.",
            "The hosts' own work runs on the same cores as the client, and is most of the time: "
            "the rates say how much work a host does as much as how fast a client is. "
            "package_facts reads names and versions; Suture's facts also hold every candidate "
            "with its origin and hash, processes, sockets, and services.",
        ),
    )


def _figures(prefix: str, who: str, series: list[Fanout]) -> tuple[Figure, ...]:
    return (
        Figure(f"{prefix}hosts_per_s", f"{who}, hosts a second", _each("rate", series)),
        Figure(
            f"{prefix}client_cpu_ms",
            f"{who}, client CPU a host",
            _each("client_cpu_ms", series),
            "ms",
        ),
        Figure(
            f"{prefix}host_cpu_ms", f"{who}, CPU on the host", _each("host_cpu_ms", series), "ms"
        ),
    )


def _each(name: str, series: list[Fanout]) -> tuple[float, ...]:
    return tuple(getattr(one, name) for one in series)


def _ratio(name: str, one: list[Fanout], other: list[Fanout]) -> tuple[float, ...]:
    return ratios(_each(name, one), _each(name, other))


def _with_hosts_cpu(servers: tuple[LabHost, ...], work: Callable[[], Fanout]) -> Fanout:
    before = sum(map(host_cpu_s, servers))
    done = work()
    return dataclasses.replace(done, hosts_cpu_s=sum(map(host_cpu_s, servers)) - before)


def _names(servers: tuple[LabHost, ...], count: int) -> list[Host]:
    """``count`` inventory names, spread over the servers."""
    return [
        replace(servers[number % len(servers)].host, name=f"host-{number:03}")
        for number in range(count)
    ]


def _suture(
    hosts: list[Host], known: KnownHosts, before: Mapping[str, Inventory] | None = None
) -> tuple[Fanout, dict[str, Inventory]]:
    """One collection, and what was read; raises where a host of ``before`` had changed."""

    async def collect() -> tuple[collecting.Collected, ...]:
        settings = SshSettings(first_use=FirstUse.ACCEPT_NEW)
        async with Connector(known, settings=settings) as connector:
            return await collecting.collect(
                connector,
                hosts,
                refresh=False,
                progress=lambda _host, _what: None,
                before=before,
            )

    cpu, began = time.process_time(), time.perf_counter()
    collected = asyncio.run(collect())
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    failures = [one.failure for one in collected if one.failure]
    if failures:
        raise UnmetError(f"{len(failures)} hosts failed: {failures[0].message}")
    seen = {one.host.name: one.inventory for one in collected if one.inventory}
    if before and any(before[name].stamp != one.stamp for name, one in seen.items()):
        raise UnmetError("packages of a lab host changed meanwhile: run it again")
    return Fanout(len(hosts), seconds, cpu_s), seen


class _Ansible:
    """A playbook that gathers facts and packages of ``hosts``."""

    def __init__(self, directory: Path, hosts: list[Host]) -> None:
        self._directory = directory
        self._count = len(hosts)
        lines = (
            f"{host.name} ansible_host={host.address} ansible_port={host.port} "
            f"ansible_user={host.user} ansible_ssh_private_key_file={host.key} "
            "ansible_python_interpreter=/usr/bin/python3"
            for host in hosts
        )
        (directory / "inventory").write_text("\n".join(lines) + "\n")
        (directory / "facts.json").write_text(json.dumps(_PLAYBOOK))
        (directory / "ansible.cfg").write_text(
            f"[defaults]\nforks = {FORKS}\nhost_key_checking = False\n"
            f"local_tmp = {directory}/tmp\nretry_files_enabled = False\n"
            "[ssh_connection]\n"
            f"ssh_args = -F none -o ControlMaster=auto -o ControlPersist=5s "
            f"-o UserKnownHostsFile={directory}/known_hosts.ansible\n"
            f"control_path_dir = {directory}/cp\n"
        )

    def run(self, *, pipelining: bool = False) -> Fanout:
        directory = self._directory
        told = {
            "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
            "ANSIBLE_PIPELINING": str(pipelining),
        }
        child = run_child(
            ["ansible-playbook", "-i", str(directory / "inventory"), str(directory / "facts.json")],
            env={**os.environ, **told},
        )
        return Fanout(self._count, child.seconds, child.cpu_s)
