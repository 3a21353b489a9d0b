"""A way into a twin for programs that speak SSH by themselves, through the ``ssh`` of this machine.

The keys are made for one twin and go with it; what is written here reaches nothing else.
"""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncssh

from suture.hosts.text import clean
from suture.hosts.transport import HostError, Transport

NAME = "twin"
"""What the configuration calls the twin."""

_HOME = "/run/suture-way-in"


def sshd_config(home: str) -> str:
    """Lets root in with the keys in ``home`` and in no other way, whatever the host's own says."""
    return f"""HostKey {home}/host_key
AuthorizedKeysFile {home}/authorized_keys
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM yes
StrictModes no
UseDNS no
PidFile none
"""


# The keys come on standard input, the host's own first.
_READY = f"""set -u
umask 077
[ -x /usr/sbin/sshd ] || {{ echo the twin has no sshd >&2; exit 1; }}
rm -rf {_HOME}
mkdir {_HOME} && mkdir -p -m 755 /run/sshd && cd {_HOME} || exit 1
cat >keys && sed '/^ssh-/d' keys >host_key && grep '^ssh-' keys >authorized_keys || exit 1
cat >sshd_config <<'END'
{sshd_config(_HOME)}END
"""


def write_config(
    directory: Path, key: asyncssh.SSHKey, host_key: asyncssh.SSHKey, *ways: str
) -> Path:
    """A configuration for ``ssh -F`` in ``directory``, which its owner alone can read. ``ways`` are
    lines that tell how the twin is reached."""
    identity, known = directory / "key", directory / "known_hosts"
    identity.touch(mode=0o600)
    key.write_private_key(identity)
    known.write_text(f"{NAME} {host_key.export_public_key().decode()}")
    config = directory / "ssh_config"
    config.write_text(
        "\n    ".join(
            (
                f"Host {NAME}",
                *ways,
                "User root",
                f'IdentityFile "{identity}"',
                "IdentitiesOnly yes",
                "IdentityAgent none",
                f'UserKnownHostsFile "{known}"',
                "GlobalKnownHostsFile /dev/null",
                f"HostKeyAlias {NAME}",
                "StrictHostKeyChecking yes",
                "BatchMode yes",
                "ControlPath none",
                "LogLevel ERROR",
            )
        )
        + "\n"
    )
    return config


@asynccontextmanager
async def through(way: Transport, entrance: Sequence[str], directory: Path) -> AsyncIterator[Path]:
    """A configuration for ``ssh -F`` that reaches the twin without any network: each connection is
    an ``sshd -i`` of the twin's own, started inside of it by ``entrance``, the command before a
    command that is to run there. Raises OSError where the twin has no sshd, and HostError.
    """
    ours, theirs = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))
    made = await way.run(
        _READY,
        stdin=theirs.export_private_key() + b"\n" + ours.export_public_key(),
    )
    if made.exit:
        raise OSError(f"there is no way in for SSH: {clean(made.stderr) or 'it has no sshd'}")
    command = shlex.join((*entrance, "/usr/sbin/sshd", "-i", "-f", f"{_HOME}/sshd_config"))
    try:
        yield write_config(directory, ours, theirs, f"ProxyCommand {command}")
    finally:
        with suppress(HostError):
            await way.run(f"rm -rf {_HOME}\n")
