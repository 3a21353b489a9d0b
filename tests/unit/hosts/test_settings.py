"""The editor of one setting in a file, run by this machine's own shell."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from suture.hosts.shell import program, quote

_SSHD = """# A comment
Include /etc/ssh/sshd_config.d/*.conf

#LoginGraceTime 2m
PermitRootLogin yes
Match User git
    PermitRootLogin no
"""


def edit(text: str, form: str, section: str, key: str, value: str) -> str | None:
    """The edited text, None where the editor refuses it."""
    words = " ".join(map(quote, (form, section, key, value)))
    script = program("common", "settings") + f"edit_setting {words}\n"
    done = subprocess.run(["sh", "-c", script], input=text, capture_output=True, text=True)
    assert done.returncode in (0, 3), done.stderr
    return done.stdout if done.returncode == 0 else None


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        ("", "X11Forwarding", "no", "X11Forwarding no\n"),
        ("UsePAM yes", "X11Forwarding", "no", "UsePAM yes\nX11Forwarding no\n"),
        ("x11forwarding = yes\nX11Forwarding yes\n", "X11Forwarding", "no", None),
        (_SSHD, "LoginGraceTime", "0", _SSHD.replace("Include", "LoginGraceTime 0\nInclude", 1)),
        (_SSHD, "PermitRootLogin", "no", _SSHD.replace("Incl", "PermitRootLogin no\nIncl", 1)),
        ("Match all\nUsePAM no\n", "UsePAM", "yes", "UsePAM yes\nMatch all\nUsePAM no\n"),
        ("  UsePAM\tyes \n", "UsePAM", "yes", "  UsePAM\tyes \n"),
    ],
)
def test_of_sshd_the_first_counts(before: str, key: str, value: str, after: str | None) -> None:
    expected = after if after is not None else "X11Forwarding no\nX11Forwarding yes\n"
    assert edit(before, "sshd", "", key, value) == expected


@pytest.mark.parametrize(
    ("before", "section", "after"),
    [
        ("", "", "Key=new\n"),
        ("", "a", "[a]\nKey=new\n"),
        ("[a]\nKey = old\n", "a", "[a]\nKey = new\n"),
        ("[a]\n\tKey= old\n\tOther=x\n", "a", "[a]\n\tKey= new\n\tOther=x\n"),
        ("[a]\nKey=1\nKey=2\n", "a", "[a]\nKey=1\nKey=new\n"),
        ("[a]\nx=1\n\n[b]\nKey=old\n", "a", "[a]\nx=1\nKey=new\n\n[b]\nKey=old\n"),
        ("[a]\n[b]\n[a]\nx=1\n\n# end\n", "a", "[a]\n[b]\n[a]\nx=1\n\n# end\nKey=new\n"),
        ("x=1\n\n[b]\nKey=old\n", "", "x=1\nKey=new\n\n[b]\nKey=old\n"),
        ("[b]\nKey=old", "", "Key=new\n[b]\nKey=old\n"),
        (
            "[a]\n;Key=old\n#Key=old\nKeys=old\n",
            "a",
            "[a]\n;Key=old\n#Key=old\nKeys=old\nKey=new\n",
        ),
        ("[a]\nKey=old \\\n more\n", "a", None),
        ("[a]\nKey=old\n  more\n", "a", None),
        ("[a]\nx=1 \\\n", "a", None),
        ("[b]\nx=1 \\\n", "a", None),
    ],
)
def test_of_ini_the_last_in_its_section_counts(
    before: str, section: str, after: str | None
) -> None:
    assert edit(before, "ini", section, "Key", "new") == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "Key=new\n"),
        ("#Key=old\n[a]\nKey=old\nx=1\n", "#Key=old\n[a]\nKey=new\nx=1\n"),
        ("Key=a\nKey = 'b'\n", "Key=a\nKey = new\n"),
        ("Key=new\n", "Key=new\n"),
        ("Key=a \\\nb\n", None),
    ],
)
def test_of_plain_keys_the_last_counts(before: str, after: str | None) -> None:
    assert edit(before, "key=value", "", "Key", "new") == after


@pytest.mark.parametrize("value", ["a\\nb", "$(id) `id` $HOME", "&", "a'b\"c", "%s", "1e1"])
def test_a_value_is_written_as_it_is(value: str) -> None:
    for before in ("", "Key=10\n"):
        assert edit(before, "key=value", "", "Key", value) == f"Key={value}\n"
    assert edit("Key 10\n", "sshd", "", "Key", value) == f"Key {value}\n"


_WORD = st.text("ab[]=;# \\\t", max_size=6)
_LINES = st.lists(
    st.one_of(
        st.sampled_from(["", "[a]", "[b]", "Key=1", " Key = 2", "Key 3", "#Key=4", "Include x"]),
        st.sampled_from(["Match all", "other=1", "other 1", "key 5"]),
        _WORD,
    ),
    max_size=8,
)
_FORMATS = st.sampled_from([("sshd", ""), ("ini", ""), ("ini", "a"), ("key=value", "")])


@settings(deadline=None)
@given(_LINES, _FORMATS, st.sampled_from(["new", "1"]))
def test_one_setting_is_made_and_all_else_stays(
    lines: list[str], form: tuple[str, str], value: str
) -> None:
    before = "".join(f"{line}\n" for line in lines)
    after = edit(before, *form, "Key", value)
    assume(after is not None and after != before)
    assert after is not None
    assert edit(after, *form, "Key", value) == after
    made = after.splitlines()
    assert len(made) - len(lines) in (0, 1, 2)
    if len(made) == len(lines):
        assert sum(old != new for old, new in zip(lines, made, strict=True)) == 1
    else:
        place = next(n for n, line in enumerate([*lines, None]) if line != made[n])
        assert made[:place] + made[place + len(made) - len(lines) :] == lines


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"), max_size=3))
def test_another_reader_of_ini_finds_the_setting(known: dict[str, str]) -> None:
    before = "[a]\n" + "".join(f"{key} = {value}\n" for key, value in known.items()) + "[b]\nc=1\n"
    parser = configparser.ConfigParser()
    parser.read_string(edit(before, "ini", "a", "c", "new") or "")
    assert dict(parser["a"]) == known | {"c": "new"}
    assert dict(parser["b"]) == {"c": "1"}


class Host:
    """Enough of a transaction on this machine to apply one setting without a unit."""

    def __init__(self, directory: Path) -> None:
        self.file = directory / "etc" / "some.conf"
        self.file.parent.mkdir(exist_ok=True)
        for name in ("tx", "bundle"):
            (directory / name).mkdir(exist_ok=True)
        self.head = program("common", "controls", "settings", OWN_KERNEL=1, REBOOT="never")
        self.head += f"TX_DIR={directory}/tx\nbundle={directory}/bundle\nexec 3>&1\n"
        # A new file is allowed below /etc alone, which a test has none of its own of.
        self.head += 'editable() { [ "$(readlink -f -- "$1")" = "$1" ] || why_not=link; }\n'

    def call(self, verb: str, *, value: str = "new", validate: str = "") -> str:
        words = ("one", str(self.file), "key=value", "", "Key", value, "", validate)
        script = self.head + f'{verb}_setting {" ".join(map(quote, words))} || echo "$why_not"\n'
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        return done.stdout

    @property
    def state(self) -> tuple[bytes, int, float] | None:
        if not self.file.exists():
            return None
        status = self.file.stat()
        return self.file.read_bytes(), status.st_mode, status.st_mtime


@settings(deadline=None)
@given(
    content=st.one_of(st.none(), st.binary(max_size=60).filter(lambda data: b"\0" not in data)),
    mode=st.sampled_from([0o600, 0o644, 0o640]),
)
def test_what_its_validation_refuses_is_put_back_to_the_byte(
    tmp_path_factory: pytest.TempPathFactory, content: bytes | None, mode: int
) -> None:
    host = Host(tmp_path_factory.mktemp("host"))
    if content is not None:
        host.file.write_bytes(content)
        host.file.chmod(mode)
    before = host.state
    said = host.call("apply", validate=f"! grep -q Key=new {host.file}")
    if "says" in said:
        assert "was put back" in said
    else:
        assert "over several lines" in said or b"Key=new" in (content or b"").replace(b" ", b"")
    assert host.state == before
    assert [path.name for path in host.file.parent.iterdir()] == (
        [] if content is None else ["some.conf"]
    )


def test_a_setting_is_applied_once_and_verified(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.file.write_text("Key=old\n")
    host.file.chmod(0o640)
    assert "check\tcontrol one\tfail" in host.call("verify")
    assert host.call("apply", validate="true") == ""
    assert host.file.read_text() == "Key=new\n"
    assert host.file.stat().st_mode & 0o777 == 0o640
    first = host.state
    (tmp_path / "tx" / "touched").unlink()
    assert host.call("apply") == ""
    assert host.state == first
    assert not (tmp_path / "tx" / "touched").exists()
    assert "check\tcontrol one\tpass" in host.call("verify")
