"""What no patch closes on the enrolled hosts: our own checks and other scanners' together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from suture.core.assessment.configuration import ConfigurationFinding, ConfigurationRules, examine
from suture.core.intelligence.advisories import Severity
from suture.core.policy import Policy
from suture.core.words import seconds
from suture.services import fleet, policies, scanner_reports
from suture.services.collecting import clock
from suture.services.workspace import Workspace
from suture.store import observations


def findings(
    workspace: Workspace,
    *,
    names: Sequence[str] = (),
    labels: Sequence[str] = (),
    policy_file: Path | None = None,
) -> tuple[ConfigurationFinding, ...]:
    """From the last scan of each chosen host and the newest report of each scanner, the gravest
    first. A host that was never scanned has one finding: that nothing is known of it."""
    policy, _ = policies.load(workspace, policy_file)
    hosts = fleet.chosen(workspace, names=names, labels=labels)
    now = clock()
    with fleet.opened(workspace) as store, store.query() as query:
        seen = observations.latest(query)
        since = observations.unchanged_since(query)
    found = list(scanner_reports.configuration(workspace, names=names, labels=labels))
    for host in hosts:
        if host.name not in seen:
            found.append(_never_scanned(host.name))
            continue
        found += examine(
            host, seen[host.name], rules(policy), unchanged_since=since[host.name], now=now
        )
    gravity = list(Severity)
    return tuple(sorted(found, key=lambda one: (-gravity.index(one.severity), one.host, one.check)))


def rules(policy: Policy) -> ConfigurationRules:
    return ConfigurationRules(
        max_pending_s=seconds(policy.configuration.max_pending),
        max_indexes_age_s=seconds(policy.preflight.max_indexes_age),
    )


def _never_scanned(host: str) -> ConfigurationFinding:
    return ConfigurationFinding(
        host=host,
        check="never-scanned",
        title="nothing is known of this host: it was never scanned",
        severity=Severity.UNKNOWN,
        remedy="Scan it: suture scan",
        unknown=True,
    )
