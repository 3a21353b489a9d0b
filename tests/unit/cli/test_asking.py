"""A question is seen whole, whatever else is on the screen."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from suture.cli.asking import confirm_host_key
from suture.cli.progress_view import host_progress


@contextmanager
def terminal(patch: pytest.MonkeyPatch) -> Iterator[int]:
    """The far end of a terminal that standard input and standard error are."""
    far, near = os.openpty()
    with open(near) as stdin, open(near, "w", closefd=False) as stderr:  # noqa: PTH123
        patch.setattr(sys, "stdin", stdin)
        patch.setattr(sys, "stderr", stderr)
        patch.setenv("TERM", "xterm")
        yield far
        patch.undo()
    os.close(far)


@pytest.mark.parametrize(("answer", "pinned"), [("y", True), ("n", False), ("", False)])
def test_the_question_is_asked_amid_progress(
    monkeypatch: pytest.MonkeyPatch, answer: str, pinned: bool
) -> None:
    with terminal(monkeypatch) as far:
        with host_progress() as progress:
            progress("web1", "connecting")
            os.write(far, f"{answer}\n".encode())
            assert confirm_host_key("web1", "ssh-ed25519", "SHA256:abc") is pinned
        shown = ""
        while "Pin this key? [y/N] " not in shown:
            shown += os.read(far, 65536).decode()
    assert "SHA256:abc" in shown


def test_without_a_terminal_the_answer_is_no(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", nothing)
        assert not confirm_host_key("web1", "ssh-ed25519", "SHA256:abc")
