"""What several sources say of one CVE, brought together."""

from __future__ import annotations

from datetime import date

from suture.core.intelligence.enrichment import (
    CvssScore,
    Enrichment,
    Exploitation,
    KnownExploited,
    Ssvc,
    merge,
)

CVE = "CVE-2026-0001"


def test_the_earlier_is_believed_and_the_other_is_kept() -> None:
    nvd = CvssScore("3.1", "", 9.8, "nvd")
    cna = CvssScore("4.0", "", 8.7, "cna")
    merged = merge(
        CVE,
        [
            Enrichment(CVE, scores=(cna,), cwe=("CWE-79",), description="one"),
            Enrichment(CVE, scores=(nvd, cna), cwe=("CWE-89", "CWE-79"), description="other"),
        ],
    )
    assert (merged.scores, merged.cwe) == ((cna, nvd), ("CWE-79", "CWE-89"))
    assert (merged.cvss, merged.description) == (9.8, "one")


def test_what_one_leaves_out_of_a_known_exploitation_another_says() -> None:
    copy = Enrichment(CVE, kev=KnownExploited(date(2026, 1, 1)))
    cisa = KnownExploited(date(2026, 1, 1), due=date(2026, 1, 22), ransomware=True, action="Patch.")
    assert merge(CVE, [copy, Enrichment(CVE, kev=cisa)]).kev == cisa
    assert merge(CVE, [Enrichment(CVE, kev=cisa), copy]).kev == cisa


def test_the_newest_answers_of_cisa_hold() -> None:
    old = Enrichment(CVE, ssvc=Ssvc(Exploitation.NONE, at=date(2026, 1, 1)))
    new = Enrichment(CVE, ssvc=Ssvc(Exploitation.ACTIVE, at=date(2026, 1, 2)))
    undated = Enrichment(CVE, ssvc=Ssvc(Exploitation.POC))
    assert merge(CVE, [undated, old, new]).ssvc == merge(CVE, [new, old]).ssvc == new.ssvc


def test_dispute_and_rejection_hold_whoever_says_so() -> None:
    merged = merge(CVE, [Enrichment(CVE), Enrichment(CVE, disputed=True, rejected=True)])
    assert (merged.disputed, merged.rejected, merged.kev, merged.cvss) == (True, True, None, None)
