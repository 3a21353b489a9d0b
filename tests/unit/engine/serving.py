"""A worker over pretend hosts: ``python -m tests.unit.engine.serving DATABASE DIRECTORY
[--jump NAME] [--site LABEL] [--stop-at STEP:WHEN]``. It writes its id to standard output when it
has begun."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from suture.engine.driver import driving
from suture.store.database import open_store
from tests.unit.engine.pretend import PretendRunner


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--jump", action="append", default=[])
    parser.add_argument("--site", action="append", default=[])
    parser.add_argument("--stop-at", default="")
    given = parser.parse_args()
    store = open_store(given.database)
    runner = PretendRunner(given.directory, stop_at=given.stop_at)
    jumps, sites = tuple(given.jump), tuple(given.site)
    with driving(store, runner, at_once=8, jumps=jumps, sites=sites) as driver:
        signal.signal(signal.SIGTERM, lambda number, frame: driver.stop())
        print(driver.worker.id, flush=True)
        driver.serve(on_settled=lambda tick: None)
    store.close()


if __name__ == "__main__":
    main()
