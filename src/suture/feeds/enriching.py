"""What the feeds about CVEs share beside ``fields``: parts of records, checked and cut to size.

An id that is none refuses the file. What is optional and unreadable is left out: it is then not
known, which is a state of its own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

from suture.core.intelligence.enrichment import CvssScore, Exploitation, Ssvc, TechnicalImpact
from suture.core.priority import scoring
from suture.feeds import fields
from suture.reading import UnreadableError

MAX_TEXT = 4_000  # characters of a description
MAX_LINKS = 50
MAX_SCORES = 20
MAX_WEAKNESSES = 20

_CWE = re.compile(r"CWE-[1-9][0-9]{0,5}")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}")

CISA_ADP = "134c704f-9b21-4f2e-91b3-4a467353bcc0"
"""The organisation under which CISA adds to CVE records."""


def cve_id(text: str, *, name: str) -> str:
    """``text`` as a CVE's id; raises :class:`UnreadableError` naming the file."""
    if not fields.is_cve(text):
        raise UnreadableError(f"{name} names {text[:40]!a}, which is no CVE")
    return text


def paragraph(text: str) -> str:
    """Foreign text as one paragraph: no control characters, at most ``MAX_TEXT`` long."""
    start = text[: 2 * MAX_TEXT]
    words = "".join(one if one.isprintable() else " " for one in start).split()
    return " ".join(words)[:MAX_TEXT]


def links(texts: Iterable[str]) -> tuple[str, ...]:
    """The web addresses among ``texts``, each once."""
    found = dict.fromkeys(text for text in texts if fields.url(text))
    return tuple(found)[:MAX_LINKS]


def weaknesses(texts: Iterable[str]) -> tuple[str, ...]:
    """The CWE ids among ``texts``, each once."""
    found = dict.fromkeys(text for text in texts if _CWE.fullmatch(text))
    return tuple(found)[:MAX_WEAKNESSES]


def source_name(text: str) -> str:
    """Who scored, as the publisher writes it; ``unknown`` where that cannot be shown."""
    return text.lower() if _SOURCE.fullmatch(text) else "unknown"


def cvss(version: str, vector: str, published: float | None, source: str) -> CvssScore | None:
    """One scoring, its score checked against its vector; None where neither says anything.

    ``version`` is what the feed calls it; a readable vector knows better.
    """
    if published is not None and not math.isfinite(published):
        published = None
    score = scoring.checked(vector, published)
    if score is None:
        return None
    known = scoring.version(vector)
    return CvssScore(known or version, vector if known else "", score, source)


def ssvc(options: Iterable[Mapping[str, str]], at: str) -> Ssvc | None:
    """CISA's answers, under whichever spelling of the names; None where there is none."""
    said = {
        key.replace(" ", "").lower(): value.strip().lower()
        for option in options
        for key, value in option.items()
    }
    exploitation = said.get("exploitation", "").removeprefix("public ")
    impact = said.get("technicalimpact", "")
    points = Ssvc(
        exploitation=Exploitation(exploitation) if exploitation in list(Exploitation) else None,
        automatable={"yes": True, "no": False}.get(said.get("automatable", "")),
        technical_impact=TechnicalImpact(impact) if impact in list(TechnicalImpact) else None,
    )
    if points == Ssvc():
        return None
    return Ssvc(points.exploitation, points.automatable, points.technical_impact, fields.day(at))
