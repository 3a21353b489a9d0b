"""Seeded runs: whatever goes wrong, the invariants hold.

``SUTURE_FAULT_SEED=17`` tells that story alone, ``17-40`` these, ``SUTURE_FAULT_RUNS=5000`` more.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.databases import Database
from tests.faults.running import Run
from tests.faults.stories import story
from tests.faults.zygote import Zygote

_RUNS = int(os.environ.get("SUTURE_FAULT_RUNS", "260"))
_SEED = os.environ.get("SUTURE_FAULT_SEED", "")
_FIRST, _, _LAST = _SEED.partition("-")
_SEEDS = range(int(_FIRST), int(_LAST or _FIRST) + 1) if _SEED else range(_RUNS)


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("seed", _SEEDS, ids=lambda seed: f"seed{seed}")
def test_whatever_goes_wrong(
    seed: int, database: Database, controllers: Zygote, tmp_path: Path
) -> None:
    print(f"SUTURE_FAULT_SEED={seed}")
    told = story(seed)
    run = Run(told, database, controllers, tmp_path)
    try:
        run.tell()
    finally:
        print(run.explain())
    assert run.trouble == []
