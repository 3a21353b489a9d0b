"""What people name as a file may be endless."""

from __future__ import annotations

from pathlib import Path

import pytest

from suture.services import fleet, policies
from suture.services.errors import ServiceError
from suture.services.workspace import Workspace

ENDLESS = Path("/dev/zero")


@pytest.fixture
def place(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path, f"sqlite:///{tmp_path}/store.sqlite")


def test_an_endless_policy_is_refused(place: Workspace) -> None:
    with pytest.raises(ServiceError, match="/dev/zero: larger than 1,000,000 bytes"):
        policies.load(place, ENDLESS)


def test_an_endless_inventory_is_refused(place: Workspace) -> None:
    with pytest.raises(ServiceError, match="/dev/zero: larger than"):
        fleet.import_ansible(place, ENDLESS)
