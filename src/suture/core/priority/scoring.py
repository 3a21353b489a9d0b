"""CVSS: what a vector says by itself, and what it says on one host.

A vector is the assigner's claim; the score can be worked out again from it. On a host, CVSS's own
environmental metrics stand for how much the host's data and service matter, and for who can
reach it. There are few distinct vectors, so answers are kept.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from cvss import CVSS2, CVSS3, CVSS4  # type: ignore[import-untyped]
from cvss.exceptions import CVSSError  # type: ignore[import-untyped]

from suture.core.documents import Document
from suture.core.inventory import Criticality, Exposure, Host

MAX_VECTOR = 400  # characters; all metrics of version 4 together take about 250

_TOLERANCE = 0.1  # published scores of version 4 were rounded in more than one way
_BASE = {
    "2.0": "AV AC Au C I A",
    "3.0": "AV AC PR UI S C I A",
    "3.1": "AV AC PR UI S C I A",
    "4.0": "AV AC AT PR UI VC VI VA SC SI SA",
}


class Requirement(StrEnum):
    """How much confidentiality, integrity or availability matter on a host: CR, IR and AR."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Environment(Document, frozen=True):
    """What CVSS asks about a host. MEDIUM and not isolated leave a score as it is."""

    confidentiality: Requirement = Requirement.MEDIUM
    integrity: Requirement = Requirement.MEDIUM
    availability: Requirement = Requirement.MEDIUM
    isolated: bool = False

    def __str__(self) -> str:
        needs = {
            "confidentiality": self.confidentiality,
            "integrity": self.integrity,
            "availability": self.availability,
        }
        if len(set(needs.values())) == 1:
            needs = {"confidentiality, integrity and availability": self.confidentiality}
        words = ["adjacent network only"] if self.isolated else []
        words += [
            f"{how} requirement of {what}"
            for what, how in needs.items()
            if how is not Requirement.MEDIUM
        ]
        return "; ".join(words)


_REQUIRED = {
    Criticality.LOW: Requirement.LOW,
    Criticality.MEDIUM: Requirement.MEDIUM,
    Criticality.HIGH: Requirement.HIGH,
    Criticality.CRITICAL: Requirement.HIGH,
}
_LABELS = {
    what: [(f"{what}-{one}", one) for one in reversed(Requirement)]
    for what in ("confidentiality", "integrity", "availability")
}


def environment(host: Host) -> Environment:
    """From the host's criticality and exposure. A label such as ``confidentiality-high`` or
    ``availability-low`` says otherwise for one of the three; of two that differ the higher holds.
    """

    def required(what: str) -> Requirement:
        said = (one for label, one in _LABELS[what] if label in host.labels)
        return next(said, _REQUIRED[host.criticality])

    return Environment(
        confidentiality=required("confidentiality"),
        integrity=required("integrity"),
        availability=required("availability"),
        isolated=host.exposure is Exposure.ISOLATED,
    )


@lru_cache(maxsize=65_536)
def version(vector: str) -> str:
    """``2.0``, ``3.0``, ``3.1`` or ``4.0``; empty where ``vector`` is none."""
    return _version(vector) if _score(vector) is not None else ""


@lru_cache(maxsize=65_536)
def base_score(vector: str) -> float | None:
    """The score of the base metrics alone, 0 to 10; None where ``vector`` is none."""
    return on_host(vector, Environment())


def checked(vector: str, published: float | None) -> float | None:
    """The base score: as it was published where the vector agrees, otherwise the vector's.

    Some assigners publish a temporal score in its place. None where neither says anything.
    """
    score = base_score(vector)
    if published is None or not 0 <= published <= 10:
        return score
    return published if score is None or abs(score - published) <= _TOLERANCE else score


@lru_cache(maxsize=262_144)
def on_host(vector: str, where: Environment) -> float | None:
    """The environmental score in ``where``, 0 to 10; None where ``vector`` is none.

    Of the vector the base metrics count alone: how likely an attack is, EPSS knows better.
    """
    claimed, kind = metrics(vector), _version(vector)
    if not claimed:
        return None
    base = {name: claimed[name] for name in _BASE[kind].split()}
    of_host = dict(base)
    asked = {"CR": where.confidentiality, "IR": where.integrity, "AR": where.availability}
    for name, requirement in asked.items():
        if requirement is not Requirement.MEDIUM:
            of_host[name] = requirement[0].upper()
    if where.isolated and kind != "2.0" and of_host["AV"] == "N":
        of_host["MAV"] = "A"
    return _score(_written(kind, of_host), base=of_host == base)


def metrics(vector: str) -> dict[str, str]:
    """Metric → value of a readable vector, empty where it is none."""
    if _score(vector) is None:
        return {}
    fields = [field.partition(":") for field in vector.split("/")]
    return {name: value for name, _, value in fields if name != "CVSS"}


def _version(vector: str) -> str:
    return vector[5:8] if vector.startswith("CVSS:") else "2.0"


def _written(kind: str, metrics: dict[str, str]) -> str:
    prefix = "" if kind == "2.0" else f"CVSS:{kind}/"
    return prefix + "/".join(f"{name}:{value}" for name, value in metrics.items())


@lru_cache(maxsize=65_536)
def _score(vector: str, *, base: bool = True) -> float | None:
    """The base score that the vector gives, or the environmental one; None where it is none."""
    readers = {"2.0": CVSS2, "3.0": CVSS3, "3.1": CVSS3, "4.0": CVSS4}
    reader = readers.get(_version(vector))
    if reader is None or len(vector) > MAX_VECTOR or not vector.isascii():
        return None
    try:
        scores = reader(vector).scores()
    except CVSSError:
        return None
    return float(scores[0 if base or scores[-1] is None else -1])
