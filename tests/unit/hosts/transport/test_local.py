"""Scripts on this machine; becoming root, and not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from suture.hosts.transport import FailureKind, HostError
from suture.hosts.transport.local import LocalTransport


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where a ``sudo`` for the transport is to be put; the transport believes it is not root."""
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() or 65534)
    monkeypatch.setattr(os, "defpath", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "sudo"


def install(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


async def test_through_sudo_nothing_is_lost(as_user: Path) -> None:
    install(as_user, '[ "$1 $2" = "-n --" ] || exit 9; shift 2; exec "$@"')
    result = await LocalTransport().run("head -c 4; exit 5", stdin=b"\0\n\xff\n")
    assert (result.exit, result.stdout) == (5, b"\0\n\xff\n")


@pytest.mark.parametrize(
    "refusal",
    [
        "sudo: a password is required",
        "nobody is not in the sudoers file.",
        "Sorry, user nobody is not allowed to execute '/bin/sh' as root",
    ],
)
async def test_a_refusal_by_sudo_names_the_line_to_add(as_user: Path, refusal: str) -> None:
    install(as_user, f'echo "{refusal}" >&2; exit 1')
    with pytest.raises(HostError) as caught:
        await LocalTransport().run("true")
    failure = caught.value.failure
    assert failure.kind is FailureKind.PRIVILEGE
    assert refusal in failure.message
    assert "ALL=(root) NOPASSWD: /bin/sh" in failure.remedy


async def test_a_script_that_fails_like_sudo_is_not_taken_for_it(as_user: Path) -> None:
    install(as_user, 'shift 2; exec "$@"')
    result = await LocalTransport().run("echo 'sudo: a password is required' >&2; exit 1")
    assert result.exit == 1


async def test_noise_before_the_script_is_not_its_output(as_user: Path) -> None:
    install(as_user, 'echo welcome; shift 2; exec "$@"')
    assert (await LocalTransport().run("echo mine")).stdout == b"mine\n"


async def test_nul_in_a_script_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        await LocalTransport().run("a\0b")


async def test_a_shell_that_is_killed_is_a_lost_connection(as_user: Path) -> None:
    install(as_user, "kill -9 $$")
    with pytest.raises(HostError) as caught:
        await LocalTransport().run("true")
    assert caught.value.failure.kind is FailureKind.CONNECTION_LOST
