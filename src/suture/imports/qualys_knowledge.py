"""Qualys's KnowledgeBase: what each QID is about, and which CVEs it stands for.

The answer of ``/api/2.0/fo/knowledge_base/vuln/?action=list``, whole or of a part of the QIDs. The
format: https://docs.qualys.com/en/vm/api/ (``knowledge_base_vuln_list_output.dtd``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from suture.core.scanners.checks import Check
from suture.core.scanners.scanner import cves_in
from suture.imports.qualys import flag, severity, text_of
from suture.reading import UnreadableError, elements, opened

MAX_CHECKS = 2_000_000
_QID = re.compile(r"[0-9]{1,12}")


def of_xml(path: Path) -> Iterator[Check]:
    """The checks, one at a time; raises :class:`UnreadableError`."""
    count = 0
    with opened(path) as stream:
        for element in elements(stream, "VULN", name=path.name, doctype=True):
            qid = (element.findtext("QID") or "").strip()
            if not _QID.fullmatch(qid):
                raise UnreadableError(f"{path.name} has a check whose QID is not a number")
            count += 1
            if count > MAX_CHECKS:
                raise UnreadableError(f"{path.name} describes more than {MAX_CHECKS} checks")
            ids = " ".join(one.text or "" for one in element.iterfind("CVE_LIST/CVE/ID"))
            yield Check(
                id=qid,
                title=text_of(element.findtext("TITLE")),
                severity=severity(element.findtext("SEVERITY_LEVEL")),
                cves=cves_in(ids),
                solution=text_of(element.findtext("SOLUTION")),
                patch=flag(element.findtext("PATCHABLE")),
            )
