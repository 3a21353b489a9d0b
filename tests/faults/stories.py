"""Stories: everything that a seed chooses. The same seed tells the same story.

What it cannot fix is how processes take turns, so a story that failed may pass when told again;
its faults come at the same counted places all the same.
"""

from __future__ import annotations

import random

from msgspec.structs import replace

from suture.core.documents import Document
from suture.core.planning.plan import Plan, RebootRule, Wave
from suture.core.rollout.state import Signal
from tests.faults.boundaries import PLACES, ProcessFault
from tests.faults.fleet import NetworkFault
from tests.faults.host import Flaws
from tests.unit.core import builders

_STEPS_THAT_FAIL = ("acquire", "preflight", "bundle", "apply", "verify", "roll-back")


class Said(Document, frozen=True):
    """What an operator says ``at_s`` seconds after the start."""

    at_s: float
    operator: str
    signal: Signal


class Outage(Document, frozen=True):
    """``database``: it is stopped, or nobody else may write; ``disk``: the controllers' is full."""

    kind: str
    at_s: float
    for_s: float


class Story(Document, frozen=True):
    """``processes`` are the faults of the controllers in the order in which they are born, of
    which ``controllers`` live at once. After ``patience`` answers an operator aborts."""

    seed: int
    plan: Plan
    flaws: dict[str, Flaws]
    controllers: int
    processes: tuple[tuple[ProcessFault, ...], ...] = ()
    network: tuple[NetworkFault, ...] = ()
    outages: tuple[Outage, ...] = ()
    says: tuple[Said, ...] = ()
    patience: int = 6


def story(seed: int) -> Story:
    chance = random.Random(seed)
    plan = _plan(chance)
    if seed % 2:
        plan = replace(plan, predownload_s=60.0)
    hosts = [host.host for host in plan.hosts]
    # Each seed in turn has one of the themes for certain, and the others by chance.
    themes = {_THEMES[seed % len(_THEMES)]} | {one for one in _THEMES if chance.random() < 0.25}
    return Story(
        seed=seed,
        plan=plan,
        flaws={name: _flaws(chance, "host" in themes) for name in hosts},
        controllers=chance.choice((1, 1, 2, 3)) if "process" in themes else 1,
        processes=_processes(chance, len(hosts)) if "process" in themes else (),
        network=_network(chance, len(hosts)) if "network" in themes else (),
        outages=_outages(chance) if "outage" in themes else (),
        says=_says(chance) if "operators" in themes else (),
        patience=chance.randint(2, 6),
    )


_THEMES = ("process", "network", "outage", "operators", "host")


def _plan(chance: random.Random) -> Plan:
    waves: list[Wave] = []
    names: list[str] = []
    for index in range(chance.randint(1, 3)):
        members = [f"web{len(names) + n + 1}" for n in range(chance.randint(1, 3))]
        names += members
        waves.append(
            builders.wave(
                index,
                members,
                parallel=chance.randint(1, 3),
                soak_s=chance.choice((0.0, 0.0, 0.3)),
                max_failures=chance.choice((0, 0, 1)),
                approval=chance.random() < 0.2,
            )
        )
    services = {}
    if len(names) > 1:
        members = chance.sample(names, chance.randint(2, len(names)))
        services["web"] = (members, chance.randint(1, min(2, len(members) - 1)))
    plan = builders.plan(waves, services, rollback_on_failure=chance.random() < 0.85)
    for name in names:
        always = chance.random() < 0.15
        rule = RebootRule.ALWAYS if always else RebootRule.IF_NEEDED
        plan = builders.with_host(plan, name, checks=(), reboot=rule)
    return plan


def _flaws(chance: random.Random, is_theme: bool) -> Flaws:
    pace_s = chance.choice((0.005, 0.02, 0.08))
    if not is_theme or chance.random() < 0.5:
        return Flaws(pace_s=pace_s)
    match chance.choice(("fails", "full", "reboots")):
        case "fails":
            return Flaws(pace_s=pace_s, fails=chance.choice(_STEPS_THAT_FAIL))
        case "full":
            return Flaws(pace_s=pace_s, full=chance.choice(("acquire", "bundle", "apply")))
        case _:
            return Flaws(pace_s=pace_s, reboots=chance.choice(("bundle", "apply", "restart")))


def _processes(chance: random.Random, hosts: int) -> tuple[tuple[ProcessFault, ...], ...]:
    """The faults of up to five controllers; the ones after them live in peace."""
    return tuple(
        tuple(_process_fault(chance, hosts) for _ in range(chance.randint(1, 2)))
        for _ in range(chance.randint(1, 5))
    )


def _process_fault(chance: random.Random, hosts: int) -> ProcessFault:
    kind = chance.choice(("kill", "kill", "freeze", "clock"))
    place = chance.choice(PLACES)
    often = {"step": 6, "act": 8, "commit": 25}[place.partition("-")[0]]
    seconds = {"kill": 0.0, "freeze": chance.choice((0.3, 3.0)), "clock": 100.0}[kind]
    if kind == "clock":
        seconds = chance.choice((5.0, 100.0, 4000.0))
    return ProcessFault(kind, place, chance.randint(1, often * min(hosts, 4)), seconds)


def _network(chance: random.Random, hosts: int) -> tuple[NetworkFault, ...]:
    kinds = ("cut", "deaf", "late", "slow", "twice", "away", "reboot")
    count = chance.randint(1, 6)
    places = chance.sample(range(1, 10 * hosts + 1), count)
    return tuple(
        NetworkFault(chance.choice(kinds), nth, chance.choice((0.1, 0.5, 1.5))) for nth in places
    )


def _outages(chance: random.Random) -> tuple[Outage, ...]:
    return tuple(
        Outage(
            chance.choice(("database", "disk")), chance.uniform(0.0, 1.5), chance.uniform(0.2, 1)
        )
        for _ in range(chance.randint(1, 2))
    )


def _says(chance: random.Random) -> tuple[Said, ...]:
    """Two operators who do not ask each other."""
    signals = (Signal.PAUSE, Signal.PAUSE, Signal.RESUME, Signal.APPROVE, Signal.ABORT)
    said = [
        Said(chance.uniform(0.0, 1.5), chance.choice(("kim", "lee")), chance.choice(signals))
        for _ in range(chance.randint(1, 6))
    ]
    return tuple(sorted(said, key=lambda one: one.at_s))
