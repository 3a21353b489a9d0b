"""Changelogs and package lists, against answers as hosts print them."""

from __future__ import annotations

import re

import pytest

from suture.hosts.changelogs import Binary, ChangelogWanted, fetch_changelogs
from suture.hosts.indexes import refresh_indexes
from suture.hosts.transport import FailureKind, HostError, Result

NONCE = "0123456789abcdef"
NGINX = ChangelogWanted(
    source="nginx",
    version="1.22.1-9+deb12u11",
    since="1.22.1-9+deb12u9",
    binaries=(
        Binary("nginx", "amd64", "1.22.1-9+deb12u11", 532468),
        Binary("nginx-light", "all", "1.22.1-9+deb12u11", 81844),
    ),
)
TEXT = "nginx (1.22.1-9+deb12u11) bookworm-security; urgency=high\n\n  * CVE-2025-1\n"


class FakeTransport:
    """Answers each script with the next of its answers, and keeps the scripts."""

    name = "web1"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.scripts: list[str] = []

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        self.scripts.append(script)
        return Result(exit=0, stdout=self.answers.pop(0).encode(), stderr=b"")

    async def put(self, data: bytes, path: str, *, mode: int = 0o600) -> None:
        raise NotImplementedError

    async def get(self, path: str) -> bytes:
        raise NotImplementedError

    async def close(self) -> None:
        return


def sections(**texts: str) -> str:
    named = {name.replace("_", " "): text for name, text in texts.items()}
    return "".join(f"\n\x1e{NONCE} {name}\n{text}\n" for name, text in {**named, "end": ""}.items())


async def test_the_smallest_binary_is_asked_first_and_blank_lines_are_kept() -> None:
    host = FakeTransport(sections(changelog_0=TEXT))
    (found,) = await fetch_changelogs(host, [NGINX], nonce=NONCE)
    assert found.text == TEXT.rstrip("\n")
    assert not found.failure
    assert "0 nginx-light all 1.22.1-9+deb12u11 1.22.1-9+deb12u9" in host.scripts[0]


async def test_a_binary_without_a_changelog_gives_way_to_the_next() -> None:
    other = ChangelogWanted("zlib", "1.3", "1.2", (Binary("zlib1g", "amd64", "1.3", 1),))
    host = FakeTransport(
        sections(failed_0="nginx-light carries no changelog", changelog_1="zlib (1.3) x"),
        sections(changelog_0=TEXT),
    )
    found = await fetch_changelogs(host, [NGINX, other], nonce=NONCE)
    assert [one.source for one in found] == ["nginx", "zlib"]
    assert all(one.text for one in found)
    assert "zlib1g" not in host.scripts[1]


async def test_what_the_archive_cannot_give_is_a_failure_in_the_answer() -> None:
    wanted = ChangelogWanted("gone", "2", "1", (Binary("gone", "all", "2", 1),))
    host = FakeTransport(sections(failed_0="gone:all=2 E: 404\x1b[31m Not Found"))
    empty = ChangelogWanted("none", "2", "1", ())
    found = await fetch_changelogs(host, [wanted, empty], nonce=NONCE)
    assert not found[0].text
    assert re.search("404.*Not Found", found[0].failure)
    assert found[0].failure.isprintable()
    assert "no binary package" in found[1].failure


async def test_a_run_cut_short_is_malformed() -> None:
    with pytest.raises(HostError) as caught:
        await fetch_changelogs(FakeTransport("\n"), [NGINX], nonce=NONCE)
    assert caught.value.failure.kind is FailureKind.MALFORMED


@pytest.mark.parametrize("name", ["a b", "x;reboot", "$(id)", "-o"])
async def test_no_name_reaches_the_shell_unchecked(name: str) -> None:
    wanted = ChangelogWanted("x", "2", "1", (Binary(name, "all", "2", 1),))
    with pytest.raises(ValueError, match="not allowed"):
        await fetch_changelogs(FakeTransport(), [wanted], nonce=NONCE)


async def test_a_refresh_tells_what_apt_said() -> None:
    said = "E: Failed to fetch http://archive.example/x  404"
    failed = await refresh_indexes(FakeTransport(sections(status="100", said=said)), nonce=NONCE)
    assert not failed.refreshed
    assert "404" in failed.reason
    done = await refresh_indexes(FakeTransport(sections(status="0")), nonce=NONCE)
    assert done.refreshed
