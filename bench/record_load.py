"""Makes the recordings of ``bench/recordings``: ``python -m bench.record_load SECONDS DIRECTORY``.

One line a second: of a local HTTP server under the load that a twin gets, of a command that is run
again and again, and of the whole machine. What else the machine does meanwhile is the point.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import hashlib
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    def do_GET(self):
        body = hashlib.sha256(b"x" * 200_000).hexdigest().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
_COMMAND = ["perl", "-e", "my %h; $h{$_ % 997} += $_ for 1 .. 60000; print scalar keys %h"]


def main(seconds: int, directory: Path) -> None:
    tasks: tuple[tuple[str, Callable[[int], Sequence[str]]], ...] = (
        ("http", _http),
        ("command", _command),
        ("machine", _machine),
    )
    threads = [
        threading.Thread(target=_write, args=(directory / f"{name}.csv", task, seconds))
        for name, task in tasks
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _write(path: Path, task: Callable[[int], Sequence[str]], seconds: int) -> None:
    path.write_text("".join(f"{line}\n" for line in task(seconds)))


def _http(seconds: int) -> list[str]:
    server = subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/"
        lines = ["latency_ms,throughput"]
        loader = [sys.executable, "-m", "suture.twin.loader", url]
        for _ in range(seconds // 30):
            windows = _windows([*loader, "30", "2"], 30)
            lines += [f"{statistics.median(w) * 1000:.3f},{len(w)}" for w in windows if w]
        return lines
    finally:
        server.kill()
        server.wait()


def _windows(command: list[str], seconds: int) -> list[list[float]]:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    windows: list[list[float]] = [[] for _ in range(seconds)]
    for line in done.stdout.splitlines():
        at, took, _ = map(int, line.split())
        windows[min(seconds - 1, at // 1_000_000)].append(took / 1e6)
    return windows


def _command(seconds: int) -> list[str]:
    lines, end = ["latency_ms"], time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.monotonic()
        took = []
        while time.monotonic() < began + 1:
            start = time.monotonic()
            subprocess.run(_COMMAND, stdout=subprocess.DEVNULL, check=True)
            took.append(time.monotonic() - start)
            time.sleep(0.1)
        lines.append(f"{statistics.median(took) * 1000:.2f}")
    return lines


def _machine(seconds: int) -> list[str]:
    lines = ["busy_share,memory_mb,context_switches"]
    before = _stat()
    for _ in range(seconds):
        time.sleep(1)
        after = _stat()
        busy, total, switches = (new - old for new, old in zip(after, before, strict=True))
        before = after
        lines.append(f"{busy / max(1, total):.3f},{_used_mb():.0f},{switches}")
    return lines


def _stat() -> tuple[int, int, int]:
    text = Path("/proc/stat").read_text().splitlines()
    ticks = [int(word) for word in text[0].split()[1:9]]
    (switches,) = (int(line.split()[1]) for line in text if line.startswith("ctxt "))
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks), switches


def _used_mb() -> float:
    lines = Path("/proc/meminfo").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    return (kib["MemTotal"] - kib["MemAvailable"]) / 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
