"""Load, as far as it needs no twin: what to run, the loader itself, the command's script."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.hosts.shell import program
from suture.hosts.transport.local import LocalTransport
from suture.twin import cgroups, load, loader
from suture.twin.load import LoadError, LoadSettings, load_of

_CHECKS = (
    HealthCheck(HealthCheckKind.UNIT, "nginx.service"),
    HealthCheck(HealthCheckKind.COMMAND, "pg_isready"),
    HealthCheck(HealthCheckKind.HTTP, "http://127.0.0.1/health"),
)


@pytest.mark.parametrize(
    ("wanted", "checks", "found"),
    [
        ("none", _CHECKS, None),
        ("checks", _CHECKS, "http://127.0.0.1/health"),
        ("checks", _CHECKS[:2], "pg_isready"),
        ("checks", _CHECKS[:1], None),
        ("http://127.0.0.1:81/", _CHECKS, "http://127.0.0.1:81/"),
        ("make test", (), "make test"),
    ],
)
def test_what_load_is_run(wanted: str, checks: tuple[HealthCheck, ...], found: str | None) -> None:
    assert load_of(LoadSettings(wanted, 0.1, 30), checks) == found
    assert load_of(None, checks) is None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: set[str]

    def do_GET(self) -> None:
        self.seen.add(self.headers["Host"])
        self.send_response({"/": 200, "/gone": 404, "/broken": 500}[self.path])
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    _Handler.seen = set()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _loaded(capsys: pytest.CaptureFixture[str], url: str, address: str = "") -> list[list[int]]:
    loader.main(url, "0.3", "2", address)
    return [[int(word) for word in line.split()] for line in capsys.readouterr().out.splitlines()]


def test_the_loader_times_every_request(
    server: ThreadingHTTPServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://shop.example:{server.server_port}"
    lines = _loaded(capsys, f"{url}/", "127.0.0.1")
    assert lines and all(0 <= at < 400_000 and took > 0 and well for at, took, well in lines)
    assert _Handler.seen == {f"shop.example:{server.server_port}"}
    assert all(well for *_, well in _loaded(capsys, f"{url}/gone", "127.0.0.1"))
    assert not any(well for *_, well in _loaded(capsys, f"{url}/broken", "127.0.0.1"))


def test_nobody_there_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    lines = _loaded(capsys, "http://127.0.0.1:1/")
    assert lines and not any(well for *_, well in lines)


def test_a_command_is_run_again_and_again() -> None:
    script = program("load", LOAD="sleep 0.01; [ ! -e /nowhere ]", SECONDS_=1, MOST=5)
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    samples = load._samples(done.stdout.encode())
    assert len(samples) == 5
    assert all(one.well and one.seconds >= 0.01 for one in samples)
    failing = program("load", LOAD="exit 3", SECONDS_=1, MOST=2)
    done = subprocess.run(["sh"], input=failing, capture_output=True, text=True, check=True)
    assert [one.well for one in load._samples(done.stdout.encode())] == [False, False]


def test_what_a_twin_prints_is_checked() -> None:
    printed = b"1 2 1\nrm -rf /\n-1 2 1\n1 2\n9999999999999999 1 1\n\xff 2 1\n3000000 500000 0\n"
    found = [(one.at, one.seconds, one.well) for one in load._samples(printed)]
    assert found == [(1e-6, 2e-6, True), (3.0, 0.5, False)]


async def test_a_name_is_what_the_twin_takes_it_for() -> None:
    here = LocalTransport("here")
    assert await load._resolve(here, "http://[::1]:8080/") == "::1"
    assert await load._resolve(here, "http://localhost/") in ("127.0.0.1", "::1")
    with pytest.raises(LoadError, match="knows no address of 'nobody"):
        await load._resolve(here, "http://nobody.invalid/")
    await here.close()


def test_what_a_group_uses_grows() -> None:
    """This process's own group, which has at least this process in it."""
    if "" not in cgroups._mounts():
        pytest.skip("this machine mounts no unified control groups")
    _, memory = cgroups.usage(int(Path("/proc/self").readlink().name))
    assert memory > 10 * 2**20


def test_the_loader_is_a_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "suture.twin.loader", "http://127.0.0.1:1/", "0.1", "1"],
        capture_output=True,
        check=True,
    )
    assert load._samples(done.stdout)
