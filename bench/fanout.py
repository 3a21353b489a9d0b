"""Facts of 200 hosts at once: hosts a second and client CPU, beside Ansible's."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from bench.measure import Figure, Report, UnmetError, booted_lab, need, ratios, run_child
from lab.fleet import LabHost, Wanted
from suture.core.inventory import Host
from suture.hosts.transport.connector import ConnectionLimits, Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.ssh import SshSettings
from suture.services import collecting

RUNS = 3
HOSTS, ANSIBLE_HOSTS, SERVERS = 200, 20, 2
FORKS = 50

_SSHD = """
printf 'MaxStartups 500\\nMaxSessions 500\\n' >/etc/ssh/sshd_config.d/bench.conf
systemctl reload ssh
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-apt >/dev/null
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
    """One collection of many hosts: seconds of wall clock and of the client's CPU."""

    hosts: int
    seconds: float
    cpu_s: float

    @property
    def rate(self) -> float:
        return self.hosts / self.seconds

    @property
    def cpu_ms(self) -> float:
        return 1000 * self.cpu_s / self.hosts


def run(runs: int) -> Report:
    need("ansible-playbook", "ansible-core")
    ours, theirs = [], []
    with booted_lab() as lab, tempfile.TemporaryDirectory() as scratch:
        servers = lab.boot(*(Wanted(f"bench-{number}") for number in range(SERVERS)))
        for server in servers:
            server.run(_SSHD)
        known = KnownHosts(Path(scratch) / "known_hosts")
        playbook = _Ansible(Path(scratch), _names(servers, ANSIBLE_HOSTS))
        _suture(_names(servers, SERVERS), known)
        for _ in range(runs):
            ours.append(_suture(_names(servers, HOSTS), known))
            theirs.append(playbook.run())
    rates = [one.rate for one in ours]
    ansible_rates = [one.rate for one in theirs]
    return Report(
        title=f"fanout: the facts of {HOSTS} hosts at once",
        figures=(
            Figure("hosts_per_s", "Suture, hosts a second", tuple(rates)),
            Figure("client_cpu_ms", "Suture, client CPU a host", _cpu(ours), "ms"),
            Figure("ansible_hosts_per_s", "Ansible, hosts a second", tuple(ansible_rates)),
            Figure("ansible_client_cpu_ms", "Ansible, client CPU a host", _cpu(theirs), "ms"),
            Figure(
                "ratio_to_ansible",
                "Suture ÷ Ansible, rates",
                ratios(rates, ansible_rates),
                "×",
                "≥ 10",
            ),
            Figure(
                "ratio_cpu", "Ansible ÷ Suture, client CPU", ratios(_cpu(theirs), _cpu(ours)), "×"
            ),
        ),
        caveats=(
            f"{HOSTS} names for {SERVERS} lab hosts, each with a connection of its own; "
            "MaxStartups and MaxSessions of their sshd are raised to 500.",
            f"Suture keeps its default of {ConnectionLimits().total} connections at once.",
            f"Ansible: `setup` and `package_facts` in one play on {ANSIBLE_HOSTS} names of "
            f"the same hosts, forks={FORKS}, pipelining on (Ansible's default is off); its rate is "
            "taken as the same for more hosts. The CPU of its ssh masters that stay in the "
            "background is not counted.",
            "The hosts' own work runs on the same cores as the client, and is most of the time: "
            "the rates say how much work a host does as much as how fast a client is. "
            "package_facts reads names and versions; Suture's facts also hold every candidate "
            "with its origin and hash, processes, sockets, and services.",
        ),
    )


def _cpu(series: list[Fanout]) -> tuple[float, ...]:
    return tuple(one.cpu_ms for one in series)


def _names(servers: tuple[LabHost, ...], count: int) -> list[Host]:
    """``count`` inventory names, spread over the servers."""
    return [
        replace(servers[number % len(servers)].host, name=f"host-{number:03}")
        for number in range(count)
    ]


def _suture(hosts: list[Host], known: KnownHosts) -> Fanout:
    async def collect() -> tuple[collecting.Collected, ...]:
        settings = SshSettings(first_use=FirstUse.ACCEPT_NEW)
        async with Connector(known, settings=settings) as connector:
            return await collecting.collect(
                connector, hosts, refresh=False, progress=lambda _host, _what: None
            )

    cpu, began = time.process_time(), time.perf_counter()
    collected = asyncio.run(collect())
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    failures = [one.failure for one in collected if one.failure]
    if failures:
        raise UnmetError(f"{len(failures)} hosts failed: {failures[0].message}")
    return Fanout(len(hosts), seconds, cpu_s)


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
            f"[ssh_connection]\npipelining = True\n"
            f"ssh_args = -F none -o ControlMaster=auto -o ControlPersist=5s "
            f"-o UserKnownHostsFile={directory}/known_hosts.ansible\n"
            f"control_path_dir = {directory}/cp\n"
        )

    def run(self) -> Fanout:
        directory = self._directory
        child = run_child(
            ["ansible-playbook", "-i", str(directory / "inventory"), str(directory / "facts.json")],
            env={**os.environ, "ANSIBLE_CONFIG": str(directory / "ansible.cfg")},
        )
        return Fanout(self._count, child.seconds, child.cpu_s)
