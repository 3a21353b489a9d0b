"""Invariants of selection on any host, and what its changes say of vulnerabilities."""

from __future__ import annotations

from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from suture.core.assessment.findings import Finding, FindingState
from suture.core.intelligence.advisories import Severity
from suture.core.inventory import AvailableVersion, Inventory, Service, Update
from suture.core.planning.plan import HeldBack
from suture.core.relations import parse
from suture.core.selection.ledger import Reason, Selection
from suture.core.versions import compare
from tests.unit.core.builders import package
from tests.unit.core.offers import ACME, SECURITY, STABLE, offer, seen, taken, update

NAMES = ["a", "b", "c", "d", "e", "f"]
VERSIONS = ["2", "3"]

relation = st.builds(
    lambda name, op, version: f"{name} ({op} {version})" if op else name,
    st.sampled_from([*NAMES, "new", "virtual", "absent"]),
    st.sampled_from(["", "<<", "=", ">="]),
    st.sampled_from(["1", *VERSIONS]),
)
field = st.lists(st.lists(relation, min_size=1, max_size=2).map(" | ".join), max_size=2).map(
    ", ".join
)


def offers(name: str) -> st.SearchStrategy[AvailableVersion]:
    return st.builds(
        lambda version, origin, depends, breaks, provides, source: offer(
            name, version, origin, depends=depends, breaks=breaks, provides=provides, source=source
        ),
        st.sampled_from(VERSIONS),
        st.sampled_from([SECURITY, SECURITY, STABLE, ACME]),
        field,
        field,
        st.sampled_from(["", "virtual", "virtual (= 2)"]),
        st.sampled_from(["one", "two"]),
    )


def updates(name: str) -> st.SearchStrategy[Update]:
    return st.builds(
        lambda version, other, pinned, deferred: update(
            *{each.version: each for each in (other, version)}.values(),
            candidate=None if pinned else version.version,
            deferred=deferred,
        ),
        offers(name),
        offers(name),
        st.integers(0, 9).map(lambda chance: chance == 0),
        st.integers(0, 9).map(lambda chance: chance == 0),
    )


@st.composite
def hosts(draw: st.DrawFn) -> Inventory:
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    return seen(
        *(draw(updates(name)) for name in names),
        installed=[package("quiet", "1")],
        services=(Service("a.service", "active", "running"),),
        installable=tuple(draw(st.lists(offers("new"), max_size=1))),
        held=tuple(f"{name}:amd64" for name in draw(st.sets(st.sampled_from(NAMES), max_size=1))),
    )


demands = st.fixed_dictionaries(
    {
        "min_severity": st.sampled_from([Severity.LOW, Severity.CRITICAL]),
        "relevant_only": st.booleans(),
        "require_checks": st.booleans(),
    }
)
known = st.lists(
    st.builds(
        lambda number, source, fixed, severity, kev: Finding(
            cve=f"CVE-2026-{number:04}",
            host="web",
            package=source,
            packages=(source,),
            source=source,
            installed="1",
            fixed=fixed,
            state=FindingState.FIXABLE,
            severity=severity,
            kev=kev,
        ),
        st.integers(1, 9),
        st.sampled_from(["one", "two"]),
        st.sampled_from(["2", "3"]),
        st.sampled_from([Severity.LOW, Severity.CRITICAL, Severity.UNKNOWN]),
        st.booleans(),
    ),
    max_size=3,
    unique_by=lambda finding: finding.cve,
)


@settings(max_examples=200, deadline=None, phases=[Phase.reuse, Phase.generate, Phase.shrink])
@given(hosts(), st.booleans(), st.booleans(), demands, known)
def test_selection_accounts_for_everything_and_is_closed(
    host: Inventory,
    security_only: bool,
    allow_new: bool,
    rules: dict[str, Any],
    findings: list[Finding],
) -> None:
    selection = taken(
        host,
        security_only=security_only,
        allow_new_packages=allow_new,
        findings=findings,
        **rules,
        exclude=("f",),
        held_back=[HeldBack("two", "3", "hurt a host")],
    )
    assert selection.ledger.reconciles
    assert selection.ledger.available == len(host.updates)
    upgraded = {
        f"{one.package}:{one.arch}": one.available
        for one in selection.ledger.entries
        if one.reason in (Reason.SELECTED, Reason.REQUIRED)
    }
    assert upgraded == {c.key: c.after for c in selection.changes if c.before is not None}
    for change in selection.changes:
        assert change.key not in host.held
        assert change.package != "f"
        assert (change.source, change.source_version) != ("two", "3")
        assert change.before is None or compare(change.after, change.before) > 0
        assert change.before is not None or allow_new
        if rules["require_checks"]:
            assert change.package != "a", "a.service has no health check"
        own = [one for one in findings if one.source == change.source and one.fixed]
        if change.reason is Reason.SELECTED and rules["relevant_only"]:
            assert change.cves
        if change.reason is Reason.SELECTED and rules["min_severity"] is Severity.CRITICAL:
            closed = [one for one in own if one.cve in change.cves]
            serious = (Severity.CRITICAL, Severity.UNKNOWN)
            assert not closed or any(f.kev or f.severity in serious for f in closed)
    _assert_closed(host, selection)


def _assert_closed(host: Inventory, selection: Selection) -> None:
    """Apart from the code under test: every need is met by the host as it will be."""
    after = {one.name: one.version for one in host.packages.packages}
    after |= {change.package: change.after for change in selection.changes}
    chosen = {change.key: change.after for change in selection.changes}
    offered = [v for one in host.updates for v in one.versions] + list(host.installable)
    taken = {v.name: v for v in offered if chosen.get(v.key) == v.version}
    known = set(after) | {version.name for version in offered}
    for version in taken.values():
        for clause in parse(version.depends):
            assert any(
                (one.name in after and one.allows(after[one.name]))
                or any(
                    p.name == one.name and one.allows(p.version)
                    for other in taken.values()
                    for provides in parse(other.provides)
                    for p in provides
                )
                or (not one.op and one.name not in known)
                for one in clause
            ), (version.name, clause)
        for clause in parse(version.breaks):
            for one in clause:
                if one.name != version.name:
                    assert one.name not in after or not one.allows(after[one.name])


def test_the_same_host_gives_the_same_selection_in_any_order() -> None:
    ups = [update(offer(name, depends="a (>= 2)")) for name in "abc"]
    one, other = taken(seen(*ups)), taken(seen(*reversed(ups)))
    assert one.changes == other.changes
    assert sorted(map(str, one.ledger.entries)) == sorted(map(str, other.ledger.entries))


def test_a_change_names_what_it_closes_on_this_host() -> None:
    def finding(cve: str, fixed: str | None, **fields: Any) -> Finding:
        defaults: dict[str, Any] = {"host": "web", "source": "nginx"} | fields
        state = FindingState.FIXABLE if fixed else FindingState.NO_FIX
        return Finding(
            cve=cve, package="nginx", packages=("nginx",), installed="1", fixed=fixed,
            state=state, **defaults,
        )  # fmt: skip

    findings = [
        finding("CVE-2026-0002", "2"),
        finding("CVE-2026-0001", "1.5"),
        finding("CVE-2026-0003", "3"),
        finding("CVE-2026-0004", None),
        finding("CVE-2026-0005", "2", host="db"),
        finding("CVE-2026-0006", "2", source="curl"),
    ]
    (change,) = taken(seen(update(offer("nginx"))), findings=findings).changes
    assert change.cves == ("CVE-2026-0001", "CVE-2026-0002")


def test_nothing_on_offer_is_an_empty_ledger() -> None:
    selection = taken(seen())
    assert selection.changes == ()
    assert selection.ledger.reconciles
