"""CSAF 2.0 documents of profile VEX: one a vulnerability, saying product by product what it means.

A product is a package as a component of a release, which documents express through relationships
between ids: followed to the end, an id yields a release (by CPE or name), a module and a package
(by package URL or name). Products that are no release of a distribution are passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec

from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.feeds.fields import day, disputed, is_cve, line, severity, token
from suture.feeds.rpm import Said, affected, evr, is_debug, split_nevra
from suture.reading import UnreadableError, json_of

Place = tuple[str, str]  # release, channel
Placed = Callable[[str, str], Place | None]  # (product's name, CPE) → where it is

_MAX_LINKS = 4
_STATES = {
    "fixed": FixState.FIXED,
    "first_fixed": FixState.FIXED,
    "recommended": FixState.FIXED,
    "known_affected": FixState.AFFECTED,
    "first_affected": FixState.AFFECTED,
    "last_affected": FixState.AFFECTED,
    "known_not_affected": FixState.NOT_AFFECTED,
    "under_investigation": FixState.UNDER_INVESTIGATION,
}
_OUT_OF_SUPPORT = "out of support scope"
_PLAIN = frozenset({"affected", "will not fix", _OUT_OF_SUPPORT})  # the state says it already
_REJECTED = ("** REJECT", "REJECTED")


class _Helper(msgspec.Struct):
    cpe: str = ""
    purl: str = ""


class _Product(msgspec.Struct):
    product_id: str
    name: str = ""
    product_identification_helper: _Helper | None = None


class _Branch(msgspec.Struct):
    product: _Product | None = None
    branches: list[_Branch] = []


class _Relationship(msgspec.Struct):
    product_reference: str
    relates_to_product_reference: str
    full_product_name: _Product


class _Tree(msgspec.Struct):
    branches: list[_Branch] = []
    relationships: list[_Relationship] = []
    full_product_names: list[_Product] = []


class _Tracking(msgspec.Struct):
    id: str
    initial_release_date: str = ""
    current_release_date: str = ""


class _Rating(msgspec.Struct):
    text: str = ""


class _About(msgspec.Struct):
    tracking: _Tracking
    title: str = ""
    aggregate_severity: _Rating | None = None


class _Note(msgspec.Struct):
    category: str = ""
    text: str = ""


class _Remark(msgspec.Struct):
    """A remediation, a threat or a flag: a word about some products, or all."""

    category: str = ""
    label: str = ""
    details: str = ""
    product_ids: list[str] = []


class _Vulnerability(msgspec.Struct):
    cve: str = ""
    title: str = ""
    notes: list[_Note] = []
    product_status: dict[str, list[str]] = {}
    remediations: list[_Remark] = []
    threats: list[_Remark] = []
    flags: list[_Remark] = []


class _Document(msgspec.Struct):
    document: _About
    product_tree: _Tree | None = None
    vulnerabilities: list[_Vulnerability] = []


class _Component(NamedTuple):
    """A package as a component of a release. ``evr`` is empty where no version is named."""

    place: Place
    name: str
    evr: str
    arch: str
    module: str


def parse(data: bytes, *, publisher: str, placed: Placed, url: str, name: str) -> Advisory | None:
    """One document as an advisory, None where it is about no package of a release.

    ``placed`` tells the release and channel of a product, ``url`` has a place for the CVE in
    lower braces (``{cve}``). Raises :class:`UnreadableError`, blaming the file ``name``.
    """
    document = json_of(data, _Document, name=name)
    about = document.document
    if not is_cve(about.tracking.id):
        raise UnreadableError(f"{name} is about no CVE: {about.tracking.id[:80]!a}")
    products = _Products(document.product_tree or _Tree(), placed, name)
    found = tuple(
        one
        for vulnerability in document.vulnerabilities
        if vulnerability.cve in ("", about.tracking.id)
        for one in _affected(vulnerability, products)
    )
    if not found:
        return None
    texts = [note.text for v in document.vulnerabilities for note in v.notes] + [about.title]
    changed = day(about.tracking.current_release_date)
    return Advisory(
        id=about.tracking.id,
        publisher=publisher,
        cves=(about.tracking.id,),
        affected=found,
        severity=severity(about.aggregate_severity.text)
        if about.aggregate_severity
        else Severity.UNKNOWN,
        published=day(about.tracking.initial_release_date),
        modified=changed,
        withdrawn=changed if any(one.startswith(_REJECTED) for one in texts) else None,
        disputed=any(disputed(one) for one in texts),
        summary=line(about.title),
        url=url.format(cve=about.tracking.id),
    )


class _Products:
    """The product tree, asked for what an id stands for."""

    def __init__(self, tree: _Tree, placed: Placed, name: str) -> None:
        self._name = name
        self._placed = placed
        self._products = {one.product_id: one for one in _all_products(tree)}
        self._links = {
            one.full_product_name.product_id: (
                one.product_reference,
                one.relates_to_product_reference,
            )
            for one in tree.relationships
        }
        self._places: dict[str, tuple[Place | None, str]] = {}
        self._packages: dict[tuple[str, bool], _Component | None] = {}

    def component(self, id_: str, *, versioned: bool) -> _Component | None:
        """The package that ``id_`` stands for. ``versioned``: its name may hold the version."""
        component, parent = self._links.get(id_, ("", ""))
        place, module = self._place(parent)
        if place is None:
            return None
        package = self._package(component, versioned)
        if package is None:
            return None
        return package._replace(place=place, module=package.module or module)

    def _place(self, id_: str, links: int = 0) -> tuple[Place | None, str]:
        """Release and channel of a product, and the module where it is one of a release."""
        if id_ not in self._places:
            self._places[id_] = self._find_place(id_, links)
        return self._places[id_]

    def _find_place(self, id_: str, links: int) -> tuple[Place | None, str]:
        product = self._products.get(id_)
        if product is not None:
            helper = product.product_identification_helper or _Helper()
            return self._placed(product.name, helper.cpe), ""
        if id_ not in self._links or links >= _MAX_LINKS:
            return None, ""
        component, parent = self._links[id_]
        place, _ = self._place(parent, links + 1)
        return place, _stream(component)

    def _package(self, id_: str, versioned: bool) -> _Component | None:
        key = (id_, versioned)
        if key not in self._packages:
            self._packages[key] = self._read_package(id_, versioned)
        return self._packages[key]

    def _read_package(self, id_: str, versioned: bool) -> _Component | None:
        product = self._products.get(id_)
        if product is None:
            return None
        helper = product.product_identification_helper or _Helper()
        if helper.purl:
            return _of_purl(helper.purl, self._name)
        if versioned:
            return _Component(("", ""), *split_nevra(product.name, name=self._name), module="")
        return _Component(("", ""), token(product.name, name=self._name), "", "", "")


def _all_products(tree: _Tree) -> Iterator[_Product]:
    yield from tree.full_product_names
    open_ = list(tree.branches)
    while open_:
        branch = open_.pop()
        open_ += branch.branches
        if branch.product is not None:
            yield branch.product


def _of_purl(purl: str, name: str) -> _Component | None:
    """``pkg:rpm/redhat/httpd@2.4.37-51?arch=x86_64&epoch=1&rpmmod=httpd:2.4:8…``"""
    path, _, query = purl[:2000].partition("?")
    if not path.startswith("pkg:rpm/"):
        return None
    path, _, version = path.partition("@")
    qualifiers = {key: values[0] for key, values in parse_qs(query.replace("+", "%2B")).items()}
    number, _, release = unquote(version).rpartition("-")
    return _Component(
        place=("", ""),
        name=token(unquote(path.rpartition("/")[2]), name=name),
        evr=evr(qualifiers.get("epoch"), number, release, name=name) if version else "",
        arch=line(qualifiers.get("arch", "")),
        module=_stream(qualifiers.get("rpmmod", "")),
    )


def _stream(module: str) -> str:
    """``name:stream`` of a module's full id (``nodejs:18:8090020240101:rhel8``)."""
    return line(":".join(module.split(":")[:2]))


def _affected(vulnerability: _Vulnerability, products: _Products) -> tuple[Affected, ...]:
    unfixed = _by_product(
        one
        for one in vulnerability.remediations
        if one.category in ("no_fix_planned", "none_available")
    )
    reasons = _by_product(vulnerability.flags)
    impacts = _by_product(one for one in vulnerability.threats if one.category == "impact")
    said: list[Said] = []
    for status, ids in vulnerability.product_status.items():
        state = _STATES.get(status)
        if state is None:
            continue
        for id_ in ids:
            component = products.component(id_, versioned=state is FixState.FIXED)
            if component is None or is_debug(component.name):
                continue
            said.append(
                _said(component, state, unfixed.get(id_), reasons.get(id_), impacts.get(id_))
            )
    return affected(_without_doubled_sources(said))


def _by_product(remarks: Iterator[_Remark] | list[_Remark]) -> dict[str, _Remark]:
    return {id_: one for one in remarks for id_ in one.product_ids}


def _said(
    component: _Component,
    state: FixState,
    unfixed: _Remark | None,
    reason: _Remark | None,
    impact: _Remark | None,
) -> Said:
    note = ""
    if state is FixState.AFFECTED and unfixed is not None:
        words = line(unfixed.details)
        if words.lower() == _OUT_OF_SUPPORT:
            state = FixState.END_OF_LIFE
        elif unfixed.category == "no_fix_planned":
            state = FixState.WILL_NOT_FIX
        note = "" if words.lower() in _PLAIN else words
    elif state is FixState.NOT_AFFECTED and reason is not None:
        note = line(reason.label.replace("_", " "))
    elif state is FixState.FIXED and not component.evr:
        state, note = FixState.AFFECTED, "said to be fixed, without a version"
    return Said(
        release=component.place[0],
        package=component.name,
        state=state,
        fixed=component.evr if state is FixState.FIXED else None,
        arch="" if component.arch == "src" else component.arch,
        channel=component.place[1],
        module=component.module,
        severity=severity(impact.details) if impact is not None else Severity.UNKNOWN,
        note=note,
        by_source=component.arch == "src",
    )


def _without_doubled_sources(said: list[Said]) -> Iterator[Said]:
    """A source package is left out where its binary packages are listed too.

    They are told by their version and release, which a source package shares with those built
    from it, epochs apart.
    """
    built = {_build(one) for one in said if not one.by_source and one.fixed}
    for one in said:
        if not (one.by_source and one.fixed and _build(one) in built):
            yield one


def _build(one: Said) -> tuple[str, str, str]:
    return one.release, one.channel, (one.fixed or "").rpartition(":")[2]
