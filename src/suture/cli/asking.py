"""Questions to the person at the terminal."""

from __future__ import annotations

import sys


def confirm_host_key(host: str, algorithm: str, fingerprint: str) -> bool:
    """Show a host's key at first sight; without a terminal the answer is no."""
    if not sys.stdin.isatty():
        return False
    from suture.cli.output import console, plain
    from suture.cli.progress_view import paused

    with paused():
        out = console(stderr=True)
        out.print(plain(f"{host} is not known yet. Its {algorithm} key is"))
        out.print(plain(f"  {fingerprint}"))
        out.print(
            plain(
                "Compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` there.", "dim"
            )
        )
        sys.stderr.write("Pin this key? [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def actor() -> str:
    """Who is at the keyboard, for the record: the account of this process as the system knows it,
    whatever the environment claims, and for root the login behind sudo where there is one."""
    import os
    import pwd
    import socket

    number = os.getuid()
    behind = os.environ.get("SUDO_UID", "") if number == 0 else ""
    if behind.isdecimal():
        number = int(behind)
    try:
        name = pwd.getpwuid(number).pw_name
    except (KeyError, OverflowError):
        name = f"uid-{number}"
    return f"{name}@{socket.gethostname()}"
