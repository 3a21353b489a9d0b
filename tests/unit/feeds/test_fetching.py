"""Fetching files from a real HTTP server, in all the ways in which that can go wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3

from suture.feeds.feed import FeedError, FeedFile
from suture.feeds.fetching import FileSource
from suture.store.knowledge import FileState

BODY = b"0123456789" * 1000


@dataclass
class Publisher:
    """A server of one file: ``cut`` ends the answer after so many bytes."""

    body: bytes = BODY
    etag: str = '"one"'
    cut: int | None = None
    status: int = 200
    requests: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    served = Publisher()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.requests.append(dict(self.headers))
            if served.status != 200:
                self.send_error(served.status)
                return
            if self.headers.get("If-None-Match") == served.etag:
                self.send_response(304)
                self.end_headers()
                return
            begin = 0
            if "Range" in self.headers and self.headers["If-Range"] == served.etag:
                begin = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            self.send_response(206 if begin else 200)
            self.send_header("Content-Length", str(len(served.body) - begin))
            self.send_header("ETag", served.etag)
            self.end_headers()
            end = len(served.body) if served.cut is None else served.cut
            self.wfile.write(served.body[begin:end])
            self.close_connection = True

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}/feeds/"
    yield served
    server.shutdown()
    server.server_close()


def source(url: str, directory: Path, seen: dict[str, FileState] | None = None) -> FileSource:
    return FileSource(
        url=url,
        directory=directory,
        seen=seen or {},
        since=None,
        progress=lambda name, done, total: None,
        retries=urllib3.Retry(total=0, raise_on_status=False),
    )


def state_of(fetching: FileSource, name: str) -> dict[str, FileState]:
    one = fetching.fetched[name]
    return {name: FileState(one.sha256, one.size, one.validators.etag, one.validators.modified)}


def test_a_file_is_fetched_and_its_state_told(publisher: Publisher, tmp_path: Path) -> None:
    fetching = source(publisher.url, tmp_path)
    file = fetching.get("data/all.json")
    assert file.location.read_bytes() == BODY
    assert file.changed
    (told,) = state_of(fetching, "data/all.json").values()
    assert told == FileState(hashlib.sha256(BODY).hexdigest(), len(BODY), '"one"')


def test_what_has_not_changed_is_not_sent_again(publisher: Publisher, tmp_path: Path) -> None:
    first = source(publisher.url, tmp_path)
    first.get("a")
    second = source(publisher.url, tmp_path, state_of(first, "a"))
    file = second.get("a")
    assert not file.changed
    assert file.location.read_bytes() == BODY
    assert publisher.requests[-1]["If-None-Match"] == '"one"'


def test_a_lost_file_is_fetched_again_and_has_not_changed(
    publisher: Publisher, tmp_path: Path
) -> None:
    first = source(publisher.url, tmp_path)
    first.get("a").location.unlink()
    file = source(publisher.url, tmp_path, state_of(first, "a")).get("a")
    assert not file.changed
    assert file.location.read_bytes() == BODY


def test_a_download_goes_on_where_it_was_cut_off(publisher: Publisher, tmp_path: Path) -> None:
    publisher.cut = 4000
    with pytest.raises(FeedError):
        source(publisher.url, tmp_path).get("a")
    assert not [path for path in tmp_path.iterdir() if path.name.endswith("-a")]
    publisher.cut = None
    assert source(publisher.url, tmp_path).get("a").location.read_bytes() == BODY
    assert publisher.requests[-1]["Range"] == "bytes=4000-"


def test_a_file_that_changed_meanwhile_is_fetched_whole(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.cut = 4000
    with pytest.raises(FeedError):
        source(publisher.url, tmp_path).get("a")
    publisher.cut, publisher.etag, publisher.body = None, '"two"', b"new"
    assert source(publisher.url, tmp_path).get("a").location.read_bytes() == b"new"


def test_other_bytes_than_the_index_names_are_refused(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="SHA-256 differs"):
        source(publisher.url, tmp_path).get("a", sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_more_than_the_limit_is_refused(publisher: Publisher, tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="larger than 100 bytes"):
        source(publisher.url, tmp_path).get("a", max_bytes=100)


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_is_told(publisher: Publisher, tmp_path: Path, status: int) -> None:
    publisher.status = status
    with pytest.raises(FeedError, match=f"answered {status} for /feeds/a"):
        source(publisher.url, tmp_path).get("a")


def test_nobody_there_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="cannot be reached") as failed:
        source("http://127.0.0.1:9/", tmp_path).get("a")
    assert "add-mirror" in failed.value.remedy


def test_a_directory_is_read_in_place(tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "a").write_bytes(BODY)
    file = source(str(tmp_path / "mirror"), tmp_path / "cache").get("a")
    assert file == FeedFile("a", str(tmp_path / "mirror" / "a"))
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["../secret", "/../secret", "x/../../secret"])
def test_no_name_leaves_the_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("s")
    (tmp_path / "mirror").mkdir()
    with pytest.raises(FeedError, match="would leave"):
        source(str(tmp_path / "mirror"), tmp_path / "cache").get(name)
