"""Hosts for tests: booted when first asked for, removed at the end however it comes.

Tests are skipped by name with the reason where the machine cannot host the lab, and only there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from lab import requirements
from lab.fleet import Lab, LabHost, Wanted

MakeHost = Callable[..., LabHost]
_BUILD_S = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of them may have to build a root."""
    for item in items:
        if item.get_closest_marker("lab") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_BUILD_S))


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """This process's hosts, their SSH key and the archive that serves them."""
    missing = requirements.missing()
    if missing:
        pytest.skip("the lab needs " + "; ".join(missing))
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="module")
def make_module_host(lab: Lab) -> Iterator[MakeHost]:
    """As :func:`make_host`, with hosts that live until the end of the module."""
    yield from _maker(lab)


@pytest.fixture
def make_host(lab: Lab) -> Iterator[MakeHost]:
    """``make_host(name="host-1", flavour="web", suite=None)`` boots a fresh host."""
    yield from _maker(lab)


@pytest.fixture(scope="module")
def server(make_module_host: MakeHost) -> LabHost:
    """One host for all tests of a module."""
    return make_module_host("server")


@pytest.fixture
def lab_host(make_host: MakeHost) -> LabHost:
    """A fresh host for one test."""
    return make_host()


def _maker(lab: Lab) -> Iterator[MakeHost]:
    made: list[LabHost] = []

    def make(name: str = "", flavour: str = "web", suite: str | None = None) -> LabHost:
        (host,) = lab.boot(Wanted(name or f"host-{len(made) + 1}", flavour, suite))
        made.append(host)
        return host

    yield make
    for host in made:
        host.remove()
        lab.hosts.remove(host)
