"""Facts of one host: Suture beside the same shell commands through ``ssh`` by hand."""

from __future__ import annotations

import asyncio
import gzip
import shlex
import tempfile
import time
from pathlib import Path

from bench.measure import Figure, Report, booted_lab, ratios, run_child
from bench.relay import ADDRESS, counting_relay
from lab.fleet import LabHost, Wanted
from suture.core.inventory import Host
from suture.hosts import facts
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import SshSettings
from suture.services.collecting import clock, nonce

RUNS = 15


def run(runs: int) -> Report:
    with booted_lab() as lab, tempfile.TemporaryDirectory() as scratch:
        (server,) = lab.boot(Wanted("bench"))
        known = KnownHosts(Path(scratch) / "known_hosts")
        asyncio.run(_collect(server.host, known))
        _by_hand(server, server.host)
        ours, theirs = [], []
        for _ in range(runs):
            ours.append(asyncio.run(_collect(server.host, known)))
            theirs.append(_by_hand(server, server.host))
        wire, wire_by_hand, unpacked = asyncio.run(_wire(server, known))
    return Report(
        title="collect: the facts of one lab host",
        figures=(
            Figure("ratio_to_ssh", "Suture ÷ ssh by hand", ratios(ours, theirs), "×", "≤ 1.15"),
            Figure("collect_s", "Suture", tuple(ours), "s"),
            Figure("ssh_s", "ssh by hand", tuple(theirs), "s"),
            Figure("wire_bytes", "Suture, on the wire", (wire,), "B"),
            Figure("ssh_wire_bytes", "ssh by hand, on the wire", (wire_by_hand,), "B"),
            Figure("output_bytes", "what the script prints, unpacked", (unpacked,), "B"),
        ),
        caveats=(
            "Suture: connecting, the script, and reading its output into an inventory, in a "
            "process that has already started; the start of the command is in `cli`.",
            "ssh: OpenSSH's client with the same script on standard input of `sh`, start of the "
            "client included, output thrown away.",
            "Bytes are TCP payload both ways, handshake included, counted by a relay outside the "
            "timed runs. The host packs its output with gzip, in both cases.",
            "The host is a container on this machine: its work and the client's share the cores, "
            "and the network takes no time.",
        ),
    )


async def _collect(host: Host, known: KnownHosts) -> float:
    """Seconds from nothing to an inventory."""
    began = time.perf_counter()
    settings = SshSettings(first_use=FirstUse.ACCEPT_NEW)
    async with Connector(known, settings=settings) as connector, connector.connect(host) as way:
        await facts.collect(way, host, now=clock, nonce=nonce())
    return time.perf_counter() - began


def _by_hand(server: LabHost, host: Host) -> float:
    child = run_child(_ssh(server, host), stdin=facts.script(nonce()).encode())
    return child.seconds


def _ssh(server: LabHost, host: Host) -> list[str]:
    known = server.container.directory / "known_hosts"
    options = f"-F none -o UserKnownHostsFile={known} -o StrictHostKeyChecking=accept-new"
    where = f"-i {host.key} -p {host.port} {host.user}@{host.address}"
    return shlex.split(f"ssh {options} {where} LC_ALL=C sh")


async def _wire(server: LabHost, known: KnownHosts) -> tuple[int, int, int]:
    """Bytes on the wire of Suture and of ssh, and of the script's output before packing."""
    host = server.host
    async with counting_relay(host.address, host.port) as relay:
        near = Host(name=host.name, address=ADDRESS, port=relay.port, key=host.key)
        await _collect(near, known)
        relay.count = 0
        await _collect(near, known)
        wire = relay.count
        argv, stdin = _ssh(server, near), facts.script(nonce()).encode()
        await asyncio.to_thread(run_child, argv, stdin=stdin)
        relay.count = 0
        child = await asyncio.to_thread(run_child, argv, stdin=stdin)
        return wire, relay.count, len(gzip.decompress(child.stdout))
