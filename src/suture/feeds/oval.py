"""OVAL definitions of rpm publishers, as statements about packages.

OVAL describes tests for a machine to run. What they test for is also said in the comment beside
each, in a few fixed phrases, so the tests, objects and states further down need not be held in
memory. A condition in other words is left out, which can but report too much; a definition that
says nothing in the words that are known is refused with its file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from typing import IO, NamedTuple
from xml.etree.ElementTree import Element

from suture.core.intelligence.advisories import Severity
from suture.feeds.fields import cves, day, line, severity, url
from suture.reading import UnreadableError, elements

_MAX_DEPTH = 20
_MAX_STATEMENTS = 500_000  # of one definition

_PLATFORM = re.compile(r"(?P<platform>\S.* .*\S) is installed")
_ARCH = re.compile(r".+ arch is (?P<arch>[a-z0-9_]{1,16})")
_MODULE = re.compile(r"Module (?P<module>[!-~]{1,200}) is enabled")
_FIXED = re.compile(r"(?P<package>[!-~]{1,255}) is earlier than (?P<fixed>[!-~]{1,255})")


class Statement(NamedTuple):
    """On ``platform`` (``Oracle Linux 9``), with ``arch`` and ``module`` where they are named,
    ``package`` is vulnerable before ``fixed``."""

    platform: str
    arch: str
    module: str
    package: str
    fixed: str


class Definition(NamedTuple):
    """One definition. ``id`` is the publisher's for the advisory, not OVAL's."""

    id: str
    title: str
    cves: tuple[str, ...]
    severity: Severity
    issued: date | None
    updated: date | None
    url: str
    statements: tuple[Statement, ...]


class _Context(NamedTuple):
    platforms: tuple[str, ...] = ()
    arch: str = ""
    module: str = ""


def definitions(stream: IO[bytes], *, name: str) -> Iterator[Definition]:
    """The definitions of a file, each as soon as it is read. Raises :class:`UnreadableError`."""
    found = False
    for element in elements(stream, "definition", name=name):
        found = True
        metadata = element.find("metadata")
        criteria = element.find("criteria")
        if metadata is None:
            raise UnreadableError(f"{name} has a definition without metadata")
        statements = _Statements(name)
        if criteria is not None:
            statements.walk(criteria, _Context(), 0)
        if not statements.found:
            raise UnreadableError(f"{name} has a definition that tests for no fixed version")
        yield _definition(metadata, tuple(dict.fromkeys(statements.found)))
    if not found:
        raise UnreadableError(f"{name} has no definitions")


def _definition(metadata: Element, statements: tuple[Statement, ...]) -> Definition:
    references = metadata.findall("reference")
    own = next((one for one in references if one.get("source", "").upper() != "CVE"), None)
    issued, updated = metadata.find("advisory/issued"), metadata.find("advisory/updated")
    return Definition(
        id=line(own.get("ref_id")) if own is not None else "",
        title=line(metadata.findtext("title")),
        cves=cves(
            (one.get("ref_id", "") for one in references),
            (one.text or "" for one in metadata.iterfind("advisory/cve")),
        ),
        severity=severity(metadata.findtext("advisory/severity")),
        issued=day(issued.get("date")) if issued is not None else None,
        updated=day(updated.get("date")) if updated is not None else None,
        url=url(own.get("ref_url")) if own is not None else "",
        statements=statements,
    )


class _Statements:
    """Walks criteria: what an AND names holds for all that is below it."""

    def __init__(self, name: str) -> None:
        self.found: list[Statement] = []
        self._name = name

    def walk(self, criteria: Element, context: _Context, depth: int) -> None:
        if depth > _MAX_DEPTH:
            raise UnreadableError(f"{self._name} has criteria nested more than {_MAX_DEPTH} deep")
        is_and = criteria.get("operator", "AND").upper() == "AND"
        for child in criteria:
            if is_and:
                context = _narrowed(context, child)
        for child in criteria:
            if child.tag == "criterion":
                self._criterion(child.get("comment", ""), context)
            elif child.tag == "criteria":
                self.walk(child, context, depth + 1)

    def _criterion(self, comment: str, context: _Context) -> None:
        match = _FIXED.fullmatch(comment)
        if match is not None:
            for platform in context.platforms or ("",):
                self.found.append(
                    Statement(
                        platform, context.arch, context.module, match["package"], match["fixed"]
                    )
                )
            if len(self.found) > _MAX_STATEMENTS:
                raise UnreadableError(f"{self._name} has a definition that is too large")


def _narrowed(context: _Context, child: Element) -> _Context:
    """``context`` with the condition that ``child`` is, if it is one."""
    if child.tag == "criteria":
        platforms = [_PLATFORM.fullmatch(one.get("comment", "")) for one in child]
        if platforms and all(platforms):
            return context._replace(platforms=tuple(one["platform"] for one in platforms if one))
        return context
    comment = child.get("comment", "")
    if match := _PLATFORM.fullmatch(comment):
        return context._replace(platforms=(match["platform"],))
    if match := _ARCH.fullmatch(comment):
        return context._replace(arch=match["arch"])
    if match := _MODULE.fullmatch(comment):
        return context._replace(module=match["module"])
    return context
