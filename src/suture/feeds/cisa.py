"""CISA's catalogue of known exploited vulnerabilities (KEV)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta, Struct, field

from suture.core.intelligence.enrichment import Enrichment, KnownExploited
from suture.feeds import enriching, fields
from suture.feeds.feed import Feed, FeedFile, fixed_files
from suture.reading import UnreadableError, json_of, text_of

_RANSOMWARE = {"known": True, "unknown": None}


class _Entry(Struct, rename="camel"):
    cve: str = field(name="cveID")
    date_added: str
    short_description: str = ""
    required_action: str = ""
    due_date: str = ""
    known_ransomware_campaign_use: str = "Unknown"
    notes: str = ""
    cwes: list[str] = field(default_factory=list)


class _Catalog(Struct):
    count: int
    vulnerabilities: Annotated[list[_Entry], Meta(max_length=100_000)]


def parse(file: FeedFile) -> Iterator[Enrichment]:
    """One record for each entry. A catalogue that does not have as many as it says is refused."""
    name = file.name
    catalog = json_of(text_of(file.location).encode(), _Catalog, name=name)
    if catalog.count != len(catalog.vulnerabilities):
        raise UnreadableError(
            f"{name} has {len(catalog.vulnerabilities)} entries and says {catalog.count}"
        )
    for entry in catalog.vulnerabilities:
        added = fields.day(entry.date_added)
        if added is None:
            raise UnreadableError(f"{name}: {entry.cve[:40]!a} was added on no day")
        yield Enrichment(
            cve=enriching.cve_id(entry.cve, name=name),
            kev=KnownExploited(
                added=added,
                due=fields.day(entry.due_date),
                ransomware=_RANSOMWARE.get(entry.known_ransomware_campaign_use.lower()),
                action=enriching.paragraph(entry.required_action),
            ),
            cwe=enriching.weaknesses(entry.cwes),
            description=enriching.paragraph(entry.short_description),
            references=enriching.links(entry.notes.split()),
        )


FEEDS = (
    Feed(
        name="cisa-kev",
        publisher="cisa",
        title="CISA: vulnerabilities known to be exploited",
        url="https://www.cisa.gov/sites/default/files/feeds/",
        fetch=fixed_files("known_exploited_vulnerabilities.json"),
        parse=parse,
    ),
)
