"""HTTP load: ``python -m suture.twin.loader URL SECONDS CONNECTIONS [ADDRESS]``.

A process of its own, because it is started inside a twin's network namespace. Every connection
sends its next request when the last was answered, so throughput falls where any part of the
distribution of latencies grows. Prints one line a request: when it began and how long it took,
both in microseconds, and 1 for an answer below status 500, else 0. Redirects are answers.
"""

from __future__ import annotations

import http.client
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

_TIMEOUT_S = 10.0
_PAUSE_AFTER_ERROR_S = 0.05
_MOST_BYTES = 4 * 2**20
_MOST_REQUESTS = 100_000


def main(url: str, seconds: str, connections: str, address: str = "") -> None:
    began = time.monotonic()
    deadline = began + float(seconds)
    lines: list[str] = []

    def client() -> None:
        for at, took, well in _requests(url, address, deadline):
            lines.append(f"{(at - began) * 1e6:.0f} {took * 1e6:.0f} {well:d}\n")
            if len(lines) >= _MOST_REQUESTS:
                return

    clients = [threading.Thread(target=client) for _ in range(int(connections))]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    sys.stdout.writelines(lines)


def _requests(url: str, address: str, deadline: float) -> Iterator[tuple[float, float, bool]]:
    """When each request began, the seconds that it took, and whether it went well."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Host": parts.netloc.rpartition("@")[2], "User-Agent": "suture-rehearsal"}
    connection = _connection(parts.scheme, address or parts.hostname or "", parts.port)
    while (at := time.monotonic()) < deadline:
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read(_MOST_BYTES)
            well = answer.status < 500
            if not answer.isclosed():
                connection.close()
        except (OSError, http.client.HTTPException):
            connection.close()
            well = False
        yield at, time.monotonic() - at, well
        if not well:
            time.sleep(_PAUSE_AFTER_ERROR_S)
    with suppress(OSError):
        connection.close()


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    """Certificates are not judged: a twin's name is not in them."""
    if scheme == "https":
        context = ssl._create_unverified_context()  # noqa: S323
        return http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    return http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
