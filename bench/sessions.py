"""A thousand sessions at once: memory and CPU of the client, open and following transactions."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
from pathlib import Path

import asyncssh

from bench.measure import Figure, Report, booted_lab, run_child
from lab.fleet import LabHost, Wanted

RUNS = 1
SESSIONS = 1000

# Each key enters a /var/lib/suture of its own, as if it were another host's, and finds no systemd,
# which knows of one only.
_ENTER = """#!/bin/sh
exec unshare --mount sh -c '
  mkdir -p "/srv/hosts/$1" && mount --bind "/srv/hosts/$1" /var/lib/suture &&
    mount -t tmpfs none /run/systemd && exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"' sh "$1"
"""
_SSHD = """
printf 'MaxStartups 500\\nMaxSessions 500\\nLoginGraceTime 0\\n' >/etc/ssh/sshd_config.d/bench.conf
systemctl set-property --runtime ssh.service TasksMax=infinity
systemctl reload ssh
mkdir -p /var/lib/suture /srv/hosts
chmod 755 /srv/enter
"""


def run(runs: int) -> Report:
    _allow_files()
    opened, followed = [], []
    with booted_lab() as lab, tempfile.TemporaryDirectory() as scratch:
        (server,) = lab.boot(Wanted("bench"))
        _as_many_hosts(server, Path(scratch))
        for _ in range(runs):
            opened.append(_client("open", server, scratch))
            followed.append(_client("follow", server, scratch))

    def each(series: list[dict[str, float]], name: str) -> tuple[float, ...]:
        return tuple(one[name] for one in series)

    return Report(
        title=f"sessions: {SESSIONS} open at once",
        figures=(
            Figure("rss_mb", "memory of the client", each(opened, "rss_mb"), "MB", "< 150"),
            Figure("start_rss_mb", "of it before the first", each(opened, "start_rss_mb"), "MB"),
            Figure("session_kb", "a session more", each(opened, "each_kb"), "kB"),
            Figure("open_per_s", "sessions opened a second", each(opened, "per_s")),
            Figure("open_cpu_ms", "client CPU a session", each(opened, "cpu_ms"), "ms"),
            Figure(
                "follow_rss_mb",
                f"peak memory, following {SESSIONS} transactions",
                each(followed, "rss_mb"),
                "MB",
                "< 150",
            ),
            Figure("follow_cpu_ms", "client CPU of one, a minute", each(followed, "cpu_ms"), "ms"),
            Figure("look_cpu_ms", "client CPU of one look", each(followed, "look_cpu_ms"), "ms"),
            Figure("follow_looks", "looks in that time", each(followed, "looks")),
            Figure("follow_lines", "lines of log that came", each(followed, "lines")),
        ),
        caveats=(
            f"{SESSIONS} connections of the product's own transport to the sshd of one lab host, "
            "each with its own key and a running script; keepalives as by default.",
            "Transactions are real and all run at once: each connection has a /var/lib/suture of "
            "its own on that host, without systemd. Each prints a line every half minute.",
            "A look is one round of the protocol: a session on the open connection that ends when "
            "there is output, or after 20 seconds. The hosts' part takes all of the machine, which "
            "slows the looks down: trust the CPU of one look before that of a minute.",
            "Memory is the resident set of a process that does nothing else, interpreter and "
            "libraries included; of following it is the peak.",
        ),
    )


def _as_many_hosts(server: LabHost, scratch: Path) -> None:
    """Keys ``0`` to ``SESSIONS - 1`` in ``scratch``, each of which enters a host of its own."""
    lines = []
    for number in range(SESSIONS):
        key = asyncssh.generate_private_key("ssh-ed25519")
        (scratch / str(number)).write_bytes(key.export_private_key())
        (scratch / str(number)).chmod(0o600)
        public = key.export_public_key().decode().strip()
        lines.append(f'command="/srv/enter {number}" {public}\n')
    with (server.root / "root/.ssh/authorized_keys").open("a") as file:
        file.writelines(lines)
    (server.root / "srv/enter").write_text(_ENTER)
    server.run(_SSHD)


def _client(what: str, server: LabHost, scratch: str) -> dict[str, float]:
    """Figures of one process that does ``what`` in ``SESSIONS`` sessions."""
    address = f"{server.address}:{server.made.ssh_port}"
    argv = [sys.executable, "-m", "bench.many_sessions", what, address, scratch, str(SESSIONS)]
    figures: dict[str, float] = json.loads(run_child(argv).stdout)
    return figures


def _allow_files() -> None:
    """A session is an open file, and the usual limit is about a thousand."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
