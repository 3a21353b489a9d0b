"""Who sees a vulnerability, and why the other does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from suture.core.assessment.findings import Finding, FindingState
from suture.core.intelligence.advisories import FixState, Rule, Severity
from suture.core.inventory import Inventory, Kernel
from suture.core.scanners.reconciling import Agreement, Likely, Ours, Reconciled, Theirs, reconcile
from suture.core.scanners.scanner import (
    PackageEvidence,
    Scanner,
    ScannerHost,
    ScannerRecord,
    ScannerState,
)
from tests.unit.core.builders import NOW, inventory, package

CVE = "CVE-2026-0001"
SCANNED = NOW - timedelta(days=1)
LONG_AGO = NOW - timedelta(days=30)


def record(cve: str = CVE, **fields: Any) -> ScannerRecord:
    defaults: dict[str, Any] = {
        "scanner": Scanner.NESSUS,
        "host": ScannerHost(),
        "plugin": "1000",
        "title": "nginx is old",
        "state": ScannerState.VULNERABILITY,
        "severity": Severity.HIGH,
        "cves": (cve,) if cve else (),
    }
    return ScannerRecord(**defaults | fields)


def saw(name: str, installed: str) -> ScannerRecord:
    return record(packages=(PackageEvidence(name, installed),))


def finding(cve: str = CVE, **fields: Any) -> Finding:
    defaults: dict[str, Any] = {
        "host": "web1",
        "package": "nginx",
        "packages": ("nginx",),
        "source": "nginx",
        "installed": "1.22.1-9",
        "fixed": "1.22.1-9+deb12u1",
        "state": FindingState.FIXABLE,
        "severity": Severity.HIGH,
    }
    return Finding(**{"cve": cve} | defaults | fields)


def rule(state: FixState = FixState.FIXED, **fields: Any) -> Rule:
    defaults: dict[str, Any] = {
        "advisory": "DSA-1",
        "publisher": "debian",
        "release": "debian:12",
        "package": "nginx",
        "cve": CVE,
        "fixed": "1.22.1-9" if state is FixState.FIXED else None,
    }
    return Rule(**{"state": state} | defaults | fields)


def ours(
    findings: Sequence[Finding] = (),
    rules: Sequence[Rule] = (),
    seen: Inventory | None = None,
    **fields: Any,
) -> Ours:
    by_cve: Mapping[str, Sequence[Rule]] = {CVE: tuple(rules)} if rules else {}
    seen = seen or inventory("web1")
    first = fields.get("first_seen", LONG_AGO)
    return Ours(seen, findings, by_cve, first, fields.get("unchanged_since", first))


def theirs(*records: ScannerRecord, **fields: Any) -> Theirs:
    defaults: dict[str, Any] = {"seen": ScannerHost(("192.0.2.1",)), "seen_at": SCANNED}
    return Theirs(**{"records": records} | defaults | fields)


def only(scanner: Theirs, mine: Ours | None) -> Reconciled:
    (one,) = reconcile("web1", scanner, mine).vulnerabilities
    return one


def test_both_see_it() -> None:
    one = only(theirs(record()), ours([finding()]))
    assert (one.agreement, one.why, one.plugin, one.package) == (
        Agreement.AGREES,
        None,
        "1000",
        "nginx",
    )


def test_what_a_truncated_report_leaves_out_is_not_closed() -> None:
    cut = theirs(truncated=True)
    one = only(cut, ours([finding()]))
    assert (one.agreement, one.why) == (Agreement.ONLY_US, Likely.TRUNCATED)
    said = only(replace(cut, closed=frozenset({CVE})), ours([finding()]))
    assert said.why is Likely.SCANNER_SAYS_CLOSED


def test_a_host_that_we_never_scanned_is_not_compared() -> None:
    one = only(theirs(record()), None)
    assert (one.agreement, one.why) == (Agreement.UNKNOWN, Likely.NEVER_SCANNED)


@pytest.mark.parametrize(
    ("scanner", "mine", "why", "words"),
    [
        pytest.param(
            theirs(saw("nginx", "1.18.0-1")),
            ours(),
            Likely.PATCHED_SINCE,
            "it saw nginx 1.18.0-1, now 1.22.1-9 is installed",
            id="another version is installed now",
        ),
        pytest.param(
            theirs(saw("nginx", "1.24.0-1"), seen_at=NOW + timedelta(days=1)),
            ours(),
            Likely.INVENTORY_OLDER,
            "it saw nginx 1.24.0-1, our older inventory has 1.22.1-9; scan again",
            id="we looked before it did",
        ),
        pytest.param(
            theirs(saw("squid", "5.7-2")),
            ours(),
            Likely.NOT_INSTALLED,
            "it names squid, of which nothing is installed",
            id="no such package",
        ),
        pytest.param(
            theirs(record()),
            ours(rules=[rule(FixState.NOT_AFFECTED, note="code not present")]),
            Likely.NOT_AFFECTED,
            "debian says that nginx is not affected in debian:12: code not present",
            id="the vendor says not affected",
        ),
        pytest.param(
            theirs(record()),
            ours(rules=[rule(fixed="1.26-1", introduced="1.25-1")]),
            Likely.NOT_AFFECTED,
            "by DSA-1 nginx 1.22.1-9 does not have it, or no longer: it is about certain "
            "versions, module streams or architectures",
            id="the hole came with a later version",
        ),
        pytest.param(
            theirs(record()),
            ours(rules=[rule()]),
            Likely.BACKPORT,
            "the fix came in 1.22.1-9 (DSA-1), 1.22.1-9 is installed; "
            "it went by upstream's version",
            id="backported",
        ),
        pytest.param(
            theirs(record(), seen=ScannerHost(credentialed=False)),
            ours(rules=[rule()]),
            Likely.BACKPORT,
            "the fix came in 1.22.1-9 (DSA-1), 1.22.1-9 is installed; "
            "it went by upstream's version and had no credentials",
            id="backported, seen from outside",
        ),
        pytest.param(
            theirs(record()),
            ours(rules=[rule()], first_seen=NOW),
            Likely.BACKPORT,
            "the fix came in 1.22.1-9 (DSA-1), 1.22.1-9 is installed; "
            "it went by upstream's version, unless the fix came before we first saw the host",
            id="backported or patched, who knows",
        ),
        pytest.param(
            theirs(record()),
            ours(rules=[rule()], unchanged_since=NOW),
            Likely.PATCHED_SINCE,
            "the fix came in 1.22.1-9 (DSA-1), 1.22.1-9 is installed, "
            "and packages changed on 2026-03-02, after its scan",
            id="patched after the scan",
        ),
        pytest.param(
            theirs(record()),
            ours(rules=[rule()], seen=inventory("web1", third_party=("nginx:amd64",))),
            Likely.THIRD_PARTY,
            "nginx is not the distribution's, whose advisories do not cover it",
            id="somebody else's package, by the advisory",
        ),
        pytest.param(
            theirs(saw("nginx", "1.22.1-9")),
            ours(seen=inventory("web1", third_party=("nginx:amd64",))),
            Likely.THIRD_PARTY,
            "nginx is not the distribution's, whose advisories do not cover it",
            id="somebody else's package, by what it saw",
        ),
        pytest.param(
            theirs(record(), seen=ScannerHost(credentialed=False)),
            ours(),
            Likely.NO_CREDENTIALS,
            "it had no credentials and went by what services say of themselves; "
            "no advisory that we know names this CVE for a package here",
            id="from outside",
        ),
        pytest.param(
            theirs(record(), seen_at=NOW + timedelta(days=1)),
            ours(),
            Likely.INVENTORY_OLDER,
            "our inventory is older than its scan; scan again",
            id="nothing known, and we looked before it did",
        ),
        pytest.param(
            theirs(record()),
            ours(),
            Likely.NO_ADVISORY,
            "no advisory that we know names this CVE for a package here",
            id="nothing known",
        ),
    ],
)
def test_only_the_scanner_sees_it(scanner: Theirs, mine: Ours, why: Likely, words: str) -> None:
    one = only(scanner, mine)
    assert (one.agreement, one.why, one.reason) == (Agreement.ONLY_SCANNER, why, words)


KERNELS = (
    package("linux-image-6.1.0-1-amd64", "6.1.4-1", source="linux", source_version="6.1.4-1"),
    package("linux-image-6.1.0-9-amd64", "6.1.27-1", source="linux", source_version="6.1.27-1"),
)


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        (
            Kernel("6.1.0-9-amd64"),
            "the fix came in 6.1.27-1 (DSA-1) and 6.1.0-9-amd64, which runs, has it; "
            "an older kernel is installed beside it",
        ),
        (
            Kernel("6.1.0-9-amd64", container=True),
            "the host is a container, whose kernel is not its own",
        ),
    ],
)
def test_a_kernel_that_does_not_run_is_not_open(kernel: Kernel, words: str) -> None:
    mine = ours(
        rules=[rule(package="linux", fixed="6.1.27-1")],
        seen=inventory("web1", KERNELS, kernel=kernel),
    )
    one = only(theirs(record()), mine)
    assert (one.why, one.reason) == (Likely.OTHER_KERNEL, words)


@pytest.mark.parametrize(
    ("scanner", "mine", "why"),
    [
        pytest.param(
            theirs(closed=frozenset({CVE})),
            ours([finding()]),
            Likely.SCANNER_SAYS_CLOSED,
            id="it looked and found nothing",
        ),
        pytest.param(
            theirs(),
            ours([finding(state=FindingState.RESTART)]),
            Likely.NEEDS_RESTART,
            id="fixed on disk alone",
        ),
        pytest.param(
            theirs(),
            ours([finding()], [rule(published=date(2026, 3, 2))]),
            Likely.NEW_ADVISORY,
            id="published after the scan",
        ),
        pytest.param(
            theirs(),
            ours([finding()], unchanged_since=NOW),
            Likely.CHANGED_SINCE,
            id="packages changed after the scan",
        ),
        pytest.param(
            theirs(seen=ScannerHost(credentialed=False)),
            ours([finding()]),
            Likely.NO_CREDENTIALS,
            id="from outside",
        ),
        pytest.param(
            theirs(),
            ours([finding(state=FindingState.NO_FIX, fixed=None)]),
            Likely.NO_FIX,
            id="nobody has a fix",
        ),
        pytest.param(
            theirs(),
            ours([finding()], first_seen=NOW),
            Likely.NO_CHECK,
            id="we first saw the host after the scan, which is no change",
        ),
        pytest.param(theirs(), ours([finding()]), Likely.NO_CHECK, id="nothing known"),
    ],
)
def test_only_we_see_it(scanner: Theirs, mine: Ours, why: Likely) -> None:
    one = only(scanner, mine)
    assert (one.agreement, one.why) == (Agreement.ONLY_US, why)
    assert one.reason


def test_a_report_about_settings_alone_says_nothing_of_vulnerabilities() -> None:
    setting = record("", state=ScannerState.CONFIGURATION)
    compared = reconcile("web1", theirs(setting, compares=False), ours([finding()]))
    assert compared.vulnerabilities == ()
    assert compared.configuration == (setting,)


def test_a_setting_with_a_cve_is_compared_where_we_know_a_patch_for_it() -> None:
    setting = record(state=ScannerState.CONFIGURATION)
    unknown = record("CVE-2026-0002", state=ScannerState.CONFIGURATION)
    compared = reconcile("web1", theirs(setting, unknown), ours([finding()]))
    assert [(one.cve, one.agreement) for one in compared.vulnerabilities] == [
        (CVE, Agreement.AGREES)
    ]
    assert compared.configuration == (setting, unknown)


def test_what_has_no_cve_and_what_it_could_not_tell_is_kept_apart() -> None:
    bare, unclear = record(""), record(state=ScannerState.UNKNOWN)
    compared = reconcile("web1", theirs(bare, unclear), ours())
    assert compared.without_cve == (bare,)
    assert compared.undecided == (unclear,)
    assert compared.vulnerabilities == ()


@pytest.mark.parametrize("installed", ["1.22.1-9", "2:1.22.1-9", "1.22.1-9.amd64"])
def test_epochs_and_architectures_make_no_other_version(installed: str) -> None:
    one = only(theirs(saw("nginx", installed)), ours())
    assert one.why is Likely.NO_ADVISORY


def test_each_cve_is_counted_once() -> None:
    scanner = theirs(record(), record(plugin="1001"), record("CVE-2026-0002"))
    mine = ours([finding(), finding("CVE-2026-0003")])
    compared = reconcile("web1", scanner, mine)
    counts = {agreement: compared.count(agreement) for agreement in Agreement}
    assert counts == {
        Agreement.AGREES: 1,
        Agreement.ONLY_SCANNER: 1,
        Agreement.ONLY_US: 1,
        Agreement.UNKNOWN: 0,
    }
    assert compared.reasons == ((Likely.NO_ADVISORY, 1), (Likely.NO_CHECK, 1))
