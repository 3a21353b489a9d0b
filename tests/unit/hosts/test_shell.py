import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.hosts.shell import printable, program, quote

_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60)


@given(_TEXT)
def test_a_value_reaches_the_shell_as_one_word_and_unchanged(value: str) -> None:
    script = f"VALUE={quote(value)}\nprintf '%s' \"$VALUE\""
    seen = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    assert seen.stdout.decode() == value
    assert seen.stderr == b""


def test_a_nul_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote("a\0b")


def test_every_script_is_valid_shell_behind_its_values() -> None:
    from importlib import resources

    directory = resources.files("suture.hosts") / "scripts"
    names = [entry.name.removesuffix(".sh") for entry in directory.iterdir()]
    assert "runner" in names
    for name in names:
        script = program(name, PLAN="$(reboot) `reboot` '; reboot; '")
        checked = subprocess.run(["sh", "-n"], input=script.encode(), capture_output=True)
        assert checked.returncode == 0, (name, checked.stderr)


def test_what_hosts_print_cannot_drive_a_terminal() -> None:
    assert printable(b"a\x1b[2Jb\rc\x00\x9b\xffd\te\r\nf") == "a[2Jb\nc\ufffd\ufffdd\te\nf"
    assert printable("left\u202eright".encode()) == "leftright"


@given(st.binary(max_size=200))
def test_printable_leaves_nothing_but_text(data: bytes) -> None:
    assert all(char in "\n\t" or ord(char) >= 32 for char in printable(data))
