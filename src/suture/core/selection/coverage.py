"""Whether anybody would notice that a patched service is not well: which units are checked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from suture.core.inventory import AvailableVersion, HealthCheck, HealthCheckKind, Inventory
from suture.core.planning.expectations import Units, names_of

_PORT = re.compile(r".*:([0-9]{1,5})")
_URL = re.compile(r"(https?)://(?:\[[^\]]*\]|[^/:?#]*)(?::([0-9]{1,5}))?(?:[/?#].*)?")
_USUAL_PORTS = {"http": "80", "https": "443"}


class Coverage:
    """The ``checks`` of one host against its active units."""

    def __init__(self, inventory: Inventory, checks: Sequence[HealthCheck]) -> None:
        self._inventory = inventory
        self._checks = checks

    def unchecked(self, version: AvailableVersion) -> tuple[str, ...]:
        """The units that run the package by their name, and that no check asks for."""
        if self._all:
            return ()
        touched = self._units.running(names_of(version.name, version.source))
        return tuple(sorted(touched - self._checked))

    @cached_property
    def _all(self) -> bool:
        """A command that a person wrote is taken to ask for all that the host is there for."""
        kind = HealthCheckKind.COMMAND
        return any(check.kind is kind and not check.proposed for check in self._checks)

    @cached_property
    def _units(self) -> Units:
        return Units(self._inventory.services)

    @cached_property
    def _checked(self) -> frozenset[str]:
        units, ports = set(), set()
        for check in self._checks:
            if check.kind is HealthCheckKind.UNIT:
                units |= {check.target, f"{check.target}.service"}
            elif check.kind is HealthCheckKind.PORT and (port := _PORT.fullmatch(check.target)):
                ports.add(port[1])
            elif check.kind is HealthCheckKind.HTTP and (url := _URL.fullmatch(check.target)):
                ports.add(url[2] or _USUAL_PORTS[url[1]])
        listening = {one.unit for one in self._inventory.listeners if str(one.port) in ports}
        return frozenset(units | listening)
