"""Containers that are not there."""

from pathlib import Path

import pytest

from suture.twin.containers import Container, ContainerError


def test_who_waits_for_a_container_is_told_when_it_was_taken_away(tmp_path: Path) -> None:
    with pytest.raises(ContainerError, match="taken away"):
        Container(tmp_path / "gone").wait_ready(60)
