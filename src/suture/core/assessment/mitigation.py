"""Controls in force on hosts, and the findings for which they stand in until a patch comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from suture.core.controls import Control
from suture.core.documents import Document

MitigationKey = tuple[str, str]
"""(host, CVE)"""


class InForce(Document, frozen=True):
    """A control that a rollout applied to a host and verified there, and when it did."""

    host: str
    control: Control
    rollout: str
    since: datetime


def reasons(in_force: Iterable[InForce]) -> Mapping[MitigationKey, str]:
    """What to say of a finding that is mitigated. Of several controls the oldest is named."""
    found: dict[MitigationKey, str] = {}
    for one in sorted(in_force, key=lambda one: (one.since, one.control.id)):
        said = f"mitigated by control {one.control.id} since {one.since.date().isoformat()}"
        for cve in one.control.cves:
            found.setdefault((one.host, cve), said)
    return found
