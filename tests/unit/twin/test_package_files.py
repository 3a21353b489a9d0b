"""The files of patch sets, on this machine."""

import os
import time
from pathlib import Path

from suture.twin.package_files import discard_unused


def test_patch_sets_of_long_ago_are_removed(tmp_path: Path) -> None:
    for name, days in (("old", 2.0), ("new", 0.5)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.deb").touch()
        then = time.time() - days * 86400
        os.utime(tmp_path / name, (then, then))
    discard_unused(tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["new"]
    discard_unused(tmp_path / "missing")
