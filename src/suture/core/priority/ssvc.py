"""CISA's SSVC tree: what to do about a vulnerability on a host, in one of four words.

The tree and its values are CISA's (coordinator tree 2.0.3, 36 leaves). Three of its inputs are
about the vulnerability, the fourth is what a host means to its organisation. An input that nobody
has answered is taken from the CVSS vector, or else as one that does not lull, and is named.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

from suture.core.documents import Document
from suture.core.intelligence.enrichment import Enrichment, Exploitation, TechnicalImpact
from suture.core.inventory import Criticality, Exposure
from suture.core.priority import scoring


class Decision(StrEnum):
    """In order. TRACK: with the ordinary updates. TRACK_CLOSELY (CISA writes ``track*``): watch
    for changes. ATTEND: sooner than ordinary updates. ACT: as soon as possible."""

    TRACK = "track"
    TRACK_CLOSELY = "track*"
    ATTEND = "attend"
    ACT = "act"


class Mission(StrEnum):
    """Mission and well-being: what harm to the host does to its organisation and to people."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Outcome(Document, frozen=True):
    """``assumed`` names the inputs that nobody has answered; ``reason`` says all in words."""

    decision: Decision
    assumed: tuple[str, ...]
    reason: str


_N, _P, _A = Exploitation
_PARTIAL, _TOTAL = TechnicalImpact
_WORDS = {"t": Decision.TRACK, "*": Decision.TRACK_CLOSELY, "a": Decision.ATTEND, "!": Decision.ACT}

# (exploitation, automatable, technical impact) → the decision for low, medium and high mission.
_TREE = {
    (_N, False, _PARTIAL): "ttt",
    (_N, False, _TOTAL): "tt*",
    (_N, True, _PARTIAL): "tta",
    (_N, True, _TOTAL): "tta",
    (_P, False, _PARTIAL): "tt*",
    (_P, False, _TOTAL): "t*a",
    (_P, True, _PARTIAL): "tta",
    (_P, True, _TOTAL): "t*a",
    (_A, False, _PARTIAL): "tta",
    (_A, False, _TOTAL): "ta!",
    (_A, True, _PARTIAL): "aa!",
    (_A, True, _TOTAL): "a!!",
}

_MISSION = {
    Criticality.LOW: 0,
    Criticality.MEDIUM: 1,
    Criticality.HIGH: 2,
    Criticality.CRITICAL: 2,
}
_SAID = {_N: "no exploitation", _P: "public proof of concept", _A: "exploited"}

# Metrics of each version of CVSS, and the values with which nothing stands in an attacker's way,
# and with which all is lost.
_EASY = {
    "2.0": {"AV": "N", "AC": "L", "Au": "N"},
    "3.0": {"AV": "N", "AC": "L", "PR": "N", "UI": "N"},
    "3.1": {"AV": "N", "AC": "L", "PR": "N", "UI": "N"},
    "4.0": {"AV": "N", "AC": "L", "AT": "N", "PR": "N", "UI": "N"},
}
_GRAVE = {
    "2.0": {"C": "C", "I": "C", "A": "C"},
    "3.0": {"C": "H", "I": "H", "A": "H"},
    "3.1": {"C": "H", "I": "H", "A": "H"},
    "4.0": {"VC": "H", "VI": "H", "VA": "H"},
}


def mission(criticality: Criticality, exposure: Exposure) -> Mission:
    """The host's criticality, one step more where the public reaches it and one less where nobody
    does; what is critical stays high."""
    step = {Exposure.ISOLATED: -1, Exposure.INTERNAL: 0, Exposure.PUBLIC: 1}[exposure]
    if criticality is Criticality.CRITICAL:
        return Mission.HIGH
    return list(Mission)[min(max(_MISSION[criticality] + step, 0), 2)]


def decide(known: Enrichment, at_stake: Mission) -> Outcome:
    """What CISA's tree says of a vulnerability on a host where so much is at stake."""
    points = known.ssvc
    assumed = []
    exploitation = points.exploitation if points else None
    if known.kev is not None:
        exploitation = Exploitation.ACTIVE
    elif exploitation is None:
        exploitation = Exploitation.POC
        assumed.append("exploitation")
    automatable = points.automatable if points else None
    if automatable is None:
        automatable = _claims(known.vector, _EASY)
        assumed.append("automatable")
    impact = points.technical_impact if points else None
    if impact is None:
        impact = _TOTAL if _claims(known.vector, _GRAVE) else _PARTIAL
        assumed.append("technical impact")
    return _outcome(exploitation, automatable, impact, at_stake, tuple(assumed))


@lru_cache(maxsize=1024)
def _outcome(
    exploitation: Exploitation,
    automatable: bool,
    impact: TechnicalImpact,
    at_stake: Mission,
    assumed: tuple[str, ...],
) -> Outcome:
    row = _TREE[exploitation, automatable, impact]
    decision = _WORDS[row[list(Mission).index(at_stake)]]
    words = {
        "exploitation": _SAID[exploitation],
        "automatable": "can be automated" if automatable else "cannot be automated",
        "technical impact": f"{impact} technical impact",
        "mission": f"{at_stake} mission impact",
    }
    said = (f"{word} (assumed)" if name in assumed else word for name, word in words.items())
    return Outcome(decision, assumed, f"SSVC {decision}: {', '.join(said)}")


def _claims(vector: str | None, metrics: dict[str, dict[str, str]]) -> bool:
    """Whether the vector has those values; the worse where there is none."""
    claimed = scoring.metrics(vector or "")
    if not claimed:
        return True
    wanted = metrics[scoring.version(vector or "")]
    return all(claimed[name] == value for name, value in wanted.items())
