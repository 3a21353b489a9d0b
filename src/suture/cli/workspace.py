"""The installation that a command works on, and the event loop that it works in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from suture.services.workspace import Workspace

T = TypeVar("T")


def workspace() -> Workspace:
    """From ``--home`` or the environment; the directory is made when something is written."""
    from suture.services.workspace import resolve

    return resolve(None, os.environ)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)
