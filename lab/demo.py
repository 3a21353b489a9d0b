"""The whole loop on real servers: ``make demo``.

Boots a fleet with real pending security updates and two bad patches, and runs the commands that a
person would type. What it prints at the end is read from the hosts, not from Suture's records.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.text import Text

from lab import requirements, roots
from lab.archives import NoArchivesError
from lab.fleet import Lab, LabHost, Wanted
from lab.packages import NOTES
from lab.repository import ORIGIN_PATTERN
from suture.core.policy import TwinPolicy
from suture.twin.containers import ContainerError

ROOT = Path(__file__).parent.parent
HOME = ROOT / "demo"
SUMMARY = ROOT / "demo-summary.json"
SUTURE = Path(sys.executable).parent / "suture"
FLEET = (
    Wanted("app1", "app", labels=("canary",)),
    Wanted("web1", "web", labels=("web",), service="shop"),
    Wanted("web2", "web", labels=("web",), service="shop"),
    Wanted("app2", "app", labels=("internal",)),
)
HURT = "web2"
OLD_RECORD = '[{"text": "order more tea"}, {"text": "call Kim", "author": "Alex"}]'
PAUSED, DONE, FINDINGS = 4, 0, 1

out = Console(highlight=False)


class DemoError(Exception):
    """The demo did not show what it is there to show."""


def main() -> int:
    began = time.monotonic()
    missing = requirements.missing()
    if missing:
        return _read_only(missing)
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(mode=0o700)
    try:
        with Lab() as lab:
            _boot(lab)
            summary = _show(lab)
    except (DemoError, ContainerError, NoArchivesError) as error:
        out.print(Text(f"The demo failed: {error}", "bold red"))
        return 1
    summary["seconds"] = round(time.monotonic() - began, 1)
    SUMMARY.write_text(json.dumps(summary, indent=2) + "\n")
    out.print(Rule("Done", align="left"))
    out.print_json(data=summary)
    return 0


def _read_only(missing: Sequence[str]) -> int:
    out.print(Text("This machine cannot host the demo's fleet. It lacks:", "bold yellow"))
    for what in missing:
        out.print(Text(f"  · {what}"))
    out.print(Text("So here is the read-only part, on this machine itself:", "bold"))
    done = _suture("scan", "local", expect=(0, FINDINGS, 3))
    return 0 if done in (0, FINDINGS) else done


def _boot(lab: Lab) -> None:
    _title("A fleet of real servers")
    for flavour in sorted({one.flavour for one in FLEET}):
        began = time.monotonic()
        with out.status(f"building the root file system for {flavour} servers (once)"):
            root = roots.root(flavour)
        out.print(f"  {root.name}: ready after {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    with out.status("booting"):
        hosts = lab.boot(*FLEET)
    for host in hosts:
        packages = host.run("dpkg-query -W | wc -l").strip()
        service = f", service {host.made.service}" if host.made.service else ""
        out.print(f"  {host.name}  {host.address}  {packages} packages{service}")
    out.print(
        f"  booted in {time.monotonic() - began:.1f} s: systemd, sshd, nginx and two services"
    )
    (hurt,) = (host for host in hosts if host.name == HURT)
    hurt.run(
        f"mkdir -p /var/lib/{NOTES}; echo '{OLD_RECORD}' >/var/lib/{NOTES}/notes.json\n"
        f"systemctl restart {NOTES}"
    )
    out.print(f"  {HURT} keeps data that no other server has, and no twin will have: an old record")


def _show(lab: Lab) -> dict[str, Any]:
    hosts = {host.name: host for host in lab.hosts}
    inventory = HOME / "inventory.ini"
    inventory.write_text(_inventory(lab.hosts))
    policy = HOME / "policy.yaml"
    policy.write_text(_policy(lab.hosts))
    before = {name: _state(host) for name, host in hosts.items()}

    _title("Enrol")
    _suture("hosts", "import", str(inventory))
    _suture("hosts", "list")
    _title("Find: scan the fleet")
    _suture("scan", "--accept-new", expect=(FINDINGS,))
    findings_before = _count_findings(lab)
    _title("Rank: what to patch first")
    _suture("findings")
    _title("Plan")
    _suture("plan", "create")
    _title("Rehearse on twins: one patch breaks its service everywhere, and is held back")
    _suture("rehearse", "latest")
    _title("Roll out in rings: another patch hurts one server by its data")
    _suture("rollout", "start", "latest", expect=(PAUSED,))
    exact = before[HURT] == _state(hosts[HURT])
    out.print(
        Text(f"Read from {HURT} itself: versions and configuration are ", "bold")
        + (Text("exactly as before", "bold green") if exact else Text("not as before", "bold red"))
    )
    rolled_back = [HURT] if exact else []
    _title("Decide: leave that patch out, and go on with everything else")
    _suture("rollout", "abort", "latest", "--reason", f"{NOTES} hurts {HURT}")
    _suture("scan", expect=(FINDINGS,))
    _suture("plan", "create", "--parent", "latest", "--hold-back", f"{NOTES}@1.1")
    _suture("rehearse", "latest")
    _suture("rollout", "start", "latest")
    _title("Prove it")
    _suture("verify", "latest")
    verified = _suture("evidence", "verify") == 0
    _suture("evidence", "export", "latest", "--output", str(HOME / "evidence.tar.gz"))
    findings_after = _count_findings(lab)
    after = {name: _state(host) for name, host in hosts.items()}
    return {
        "hosts": len(hosts),
        "findings_before": findings_before,
        "findings_after": findings_after,
        "hosts_patched": sum(after[name]["packages"] != before[name]["packages"] for name in hosts),
        "hosts_rolled_back": len(rolled_back),
        "rollback_exact": exact,
        "evidence_verified": verified,
    }


def _title(text: str) -> None:
    out.print()
    out.print(Rule(Text(text, "bold cyan"), align="left", characters="━"))


def _suture(*arguments: str, expect: Sequence[int] = (DONE,)) -> int:
    """Run a command as a person would, on this terminal; its exit code."""
    out.print(Text(f"$ suture {' '.join(arguments)}", "bold"))
    began = time.monotonic()
    environment = {**os.environ, "SUTURE_HOME": str(HOME)}
    done = subprocess.run([SUTURE, *arguments], env=environment, cwd=HOME, check=False)
    out.print(Text(f"  ({time.monotonic() - began:.1f} s)", "dim"))
    if done.returncode not in expect:
        raise DemoError(f"`suture {' '.join(arguments)}` ended with {done.returncode}")
    return done.returncode


def _inventory(hosts: Sequence[LabHost]) -> str:
    """As an operator's Ansible inventory has it."""
    lines = []
    for host in hosts:
        made = host.made
        service = f" suture_service={made.service}" if made.service else ""
        lines.append(
            f"{made.name} ansible_host={made.address} ansible_port={made.ssh_port} "
            f"ansible_ssh_private_key_file={made.key}{service}"
        )
    for label in sorted({label for host in hosts for label in host.made.labels}):
        lines.append(f"\n[{label}]")
        lines += [host.name for host in hosts if label in host.made.labels]
    return "\n".join(lines) + "\n"


def _policy(hosts: Sequence[LabHost]) -> str:
    checks = [(host.name, f"http://{host.address}:8090/", "notes") for host in hosts]
    checks += [(host.name, host.web, host.name) for host in hosts if host.made.flavour == "web"]
    check_lines = "".join(
        f"  - {{on: {name}, kind: http, target: '{url}', body: '{body}'}}\n"
        for name, url, body in checks
    )
    exclude = (*TwinPolicy().exclude, f"/var/lib/{NOTES}")
    return (
        "select:\n"
        f"  trusted_origins: ['{ORIGIN_PATTERN}']\n"
        "rings:\n"
        "  - {name: canary, hosts: [canary], soak: 5s}\n"
        "  - {name: web, hosts: [web], soak: 5s}\n"
        "  - {name: rest}\n"
        "services:\n"
        "  shop: {max_out: 1}\n"
        f"checks:\n{check_lines}"
        "max_held_back: 0\n"  # the demo shows a person deciding
        f"twin:\n  exclude: {json.dumps(exclude)}\n"
    )


def _state(host: LabHost) -> dict[str, str]:
    """What decides whether a way back was exact: versions, and every file of the configuration."""
    packages = host.run("dpkg-query -W -f '${Package}:${Architecture} ${Version} ${Status}\\n'")
    holds = host.run("apt-mark showhold; apt-mark showauto")
    configuration = host.run(
        "cd /etc && find . -xdev \\( -type f -o -type l \\) ! -name '*.cache' -print0 | sort -z |"
        ' xargs -0 -r sh -c \'for f; do stat -c "%n %a %U %G" "$f"; readlink "$f" ||'
        ' sha256sum <"$f"; done\' sh'
    )
    return {
        "packages": packages,
        "marks": holds,
        "configuration": hashlib.sha256(configuration.encode()).hexdigest(),
    }


def _count_findings(lab: Lab) -> int:
    """A fresh look at the hosts with no database: what a stranger would find open."""
    targets = [f"root@{host.address}:{host.made.ssh_port}" for host in lab.hosts]
    done = subprocess.run(
        [SUTURE, "scan", *targets, "-i", lab.key, "--accept-new", "--json"],
        env={**os.environ, "SUTURE_HOME": str(HOME / "stranger")},
        capture_output=True,
        check=False,
    )
    report = json.loads(done.stdout)
    if report["failed"]:
        raise DemoError(f"hosts could not be scanned: {report['failed']}")
    return sum(len(host["findings"]) for host in report["hosts"])


if __name__ == "__main__":
    sys.exit(main())
