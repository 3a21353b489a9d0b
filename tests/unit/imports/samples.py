"""Where reports to read lie: excerpts beside the tests, whole ones beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "tests" / "recorded" / "scanners"
WHOLE = Path(os.environ.get("SUTURE_TEST_DATA") or ROOT.parent / "shared" / "data")


def whole(name: str) -> Path:
    path = WHOLE / "scanner-samples" / name
    if not path.is_file():
        pytest.skip(f"{path} is missing")
    return path


def written(directory: Path, content: str | bytes, name: str = "report") -> Path:
    path = directory / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
