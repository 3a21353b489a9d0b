"""OpenSCAP's runs, against answers as hosts give them and as they might."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator

import pytest

from suture.core.inventory import OperatingSystem
from suture.hosts import openscap
from suture.hosts.openscap import Evaluation, evaluate, find_content, guides_for
from suture.hosts.transport import FailureKind, HostError, Result
from suture.hosts.transport.shell import Pipes, ShellTransport

NONCE = "0123456789abcdef"
DEBIAN = 'ID=debian\nVERSION_ID="12"\n'
GUIDE = f"{openscap.GUIDES}/ssg-debian12-ds.xml"
OTHER = f"{openscap.GUIDES}/ssg-debian11-ds.xml"
WANTED = Evaluation(GUIDE, "standard", 60)


class FakeHost(ShellTransport):
    """Answers with sections, or streams chunks."""

    def __init__(self, **sections: str) -> None:
        super().__init__("web1")
        self.sections = sections
        self.chunks: tuple[bytes, ...] = ()
        self.scripts: list[str] = []

    async def _start(self, argv: list[str]) -> Pipes:
        raise NotImplementedError

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        self.scripts.append(script)
        named = {**self.sections, "end": ""}
        text = "".join(f"\n\x1e{NONCE} {name}\n{body}\n" for name, body in named.items())
        return Result(exit=0, stdout=text.encode(), stderr=b"")

    async def stream(
        self, script: str, *, accept: tuple[int, ...] = (0,), idle_s: float = 120.0
    ) -> AsyncGenerator[bytes, None]:
        self.scripts.append(script)
        for chunk in self.chunks:
            yield chunk


@pytest.mark.parametrize(
    ("id_", "version", "product"),
    [
        ("debian", "12", "debian12"),
        ("ubuntu", "22.04", "ubuntu2204"),
        ("rhel", "9.4", "rhel9"),
        ("rocky", "9.4", "rl9"),
        ("sles", "15.5", "sle15"),
        ("fedora", "40", "fedora"),
        ("opensuse-leap", "15.5", "opensuse"),
    ],
)
def test_a_release_has_its_guide(id_: str, version: str, product: str) -> None:
    found = guides_for(OperatingSystem(id_, version))
    assert f"{openscap.GUIDES}/ssg-{product}-ds.xml" in found


async def test_the_guide_for_the_hosts_own_release_is_taken() -> None:
    host = FakeHost(os=DEBIAN, oscap="OpenSCAP 1.3.7", content=f"{OTHER}\n{GUIDE}")
    assert await find_content(host, nonce=NONCE) == GUIDE


async def test_a_named_data_stream_goes_before_the_guide() -> None:
    host = FakeHost(os=DEBIAN, oscap="OpenSCAP 1.3.7", content="/srv/own-ds.xml")
    assert await find_content(host, wanted="/srv/own-ds.xml", nonce=NONCE) == "/srv/own-ds.xml"
    assert "content=/srv/own-ds.xml\n" in host.scripts[0]


@pytest.mark.parametrize(
    ("sections", "wanted", "message"),
    [
        ({"content": GUIDE}, "", "OpenSCAP is not installed there"),
        ({"oscap": "1", "content": OTHER}, "", "there is no content for debian:12"),
        ({"oscap": "1", "content": GUIDE}, "/srv/x.xml", "there is no /srv/x.xml"),
    ],
)
async def test_what_is_missing_is_said(sections: dict[str, str], wanted: str, message: str) -> None:
    with pytest.raises(HostError) as raised:
        await find_content(FakeHost(os=DEBIAN, **sections), wanted=wanted, nonce=NONCE)
    assert raised.value.failure.message == message
    assert raised.value.failure.kind is FailureKind.UNSUPPORTED


@pytest.mark.parametrize("chunks", [(b"results\nPACKED",), (b"res", b"ults\nPA", b"CKED")])
async def test_results_come_as_they_are_however_they_are_cut(chunks: tuple[bytes, ...]) -> None:
    host, into = FakeHost(), io.BytesIO()
    host.chunks = chunks
    await evaluate(host, WANTED, into)
    assert into.getvalue() == b"PACKED"


@pytest.mark.parametrize(
    ("chunks", "kind", "message"),
    [
        ((b"busy\n",), FailureKind.UNSUPPORTED, "OpenSCAP is running there already"),
        ((b"late\n",), FailureKind.TIMEOUT, "OpenSCAP took longer than 60 s"),
        (
            (b"failed: status 1 No \x1b[31mprofile\n",),
            FailureKind.UNSUPPORTED,
            "OpenSCAP did not work: status 1 No \ufffd[31mprofile",
        ),
        ((), FailureKind.UNSUPPORTED, "OpenSCAP did not work: no message"),
        ((b"x" * 5000, b"results\nPACKED"), FailureKind.UNSUPPORTED, "OpenSCAP did not work: x"),
        (
            (b"results\n", b"x" * 1000),
            FailureKind.MALFORMED,
            "its results are larger than 999 bytes",
        ),
    ],
)
async def test_what_goes_wrong_is_said_and_nothing_is_taken_for_results(
    chunks: tuple[bytes, ...], kind: FailureKind, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openscap, "MAX_PACKED", 999)
    host, into = FakeHost(), io.BytesIO()
    host.chunks = chunks
    with pytest.raises(HostError) as raised:
        await evaluate(host, WANTED, into)
    assert raised.value.failure.kind is kind
    assert raised.value.failure.message.startswith(message)
    assert into.getvalue() == b""


@pytest.mark.parametrize("word", ["-x", "a b", "$(id)", "", "a/b", "a" * 201])
def test_what_is_no_profile(word: str) -> None:
    assert not openscap.is_profile(word)


@pytest.mark.parametrize("path", ["ds.xml", "/srv/*.xml", "/srv/a b", "/srv/$(id)", ""])
def test_what_is_no_path(path: str) -> None:
    assert not openscap.is_content(path)
