"""An rpm host is assessed by feeds, and left out of plans: rpm's own database on a real host."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from lab.fleet import LabHost
from suture.core.intelligence.advisories import Advisory, Affected, FixState, Severity
from suture.services import fleet
from suture.services.collecting import clock
from suture.store import records
from tests.command import Run

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("rpm")]

_SPEC = """\
Name: {name}
Version: {version}
Release: {release}
Vendor: {vendor}
{more}
Summary: A package without files
License: MIT
%description
One.
%files
"""
_MODULE = "ModularityLabel: nodejs:18:4020240301:abcdef12:x86_64"
_FEDORA = "Fedora Project"
_SPECS = [
    _SPEC.format(name=name, version=version, release=release, vendor=vendor, more=more)
    for name, version, release, vendor, more in (
        ("filesystem", "3.18", "8.fc40", _FEDORA, ""),
        ("nginx", "1.24.0", "7.fc40", _FEDORA, "Epoch: 2"),
        ("nodejs", "18.19.0", "1.module_f40+1", _FEDORA, f"Epoch: 1\n{_MODULE}"),
        ("kernel-core", "6.8.5", "301.fc40", _FEDORA, ""),
        ("kernel-core", "6.9.4", "200.fc40", _FEDORA, ""),
        ("nginx-plus", "31", "1.el9", "NGINX Packaging", ""),
    )
]
_FILES = {
    "/etc/os-release": 'ID=fedora\nVERSION_ID=40\nPRETTY_NAME="Fedora Linux 40"\n',
    "/etc/yum.repos.d/fedora.repo": "[fedora]\nname = Fedora 40\n\n[old]\nenabled=0\n"
    "gpgcheck=0\n[loose]\ngpgcheck=0\n",
    "/var/cache/dnf/fedora/repodata/repomd.xml": "",
    **{f"/root/{number}.spec": spec for number, spec in enumerate(_SPECS)},
}


def become_fedora(host: LabHost) -> None:
    """In everything that a scan asks: rpm's database is real, the packages have no files."""
    host.run("apt-get install -y -qq --no-install-recommends rpm >/dev/null; rm /etc/os-release")
    for path, text in _FILES.items():
        host.run(f"mkdir -p {Path(path).parent}; printf %s {shlex.quote(text)} >{path}")
    host.run(
        "export HOME=/root; cd /root\n"
        "for spec in *.spec; do rpmbuild -bb --quiet --target x86_64 $spec; done\n"
        "rpm -i --justdb --nodeps --ignoreos --force rpmbuild/RPMS/x86_64/*.rpm\n"
        "mv /usr/bin/dpkg-query /usr/bin/dpkg-query.away"
    )


@pytest.fixture
def suture(
    lab_host: LabHost,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    become_fedora(lab_host)
    run = Run(tmp_path, monkeypatch, capsys)
    target = f"root@{lab_host.address}:{lab_host.made.ssh_port}"
    assert run("hosts", "add", target, "--name", "web", "--key", lab_host.made.key)[0] == 0
    return run


def _publish(run: Run, *affected: Affected) -> None:
    advisory = Advisory("FEDORA-1", "fedora", ("CVE-2099-0001",), affected, severity=Severity.HIGH)
    with fleet.opened(run.place) as store, store.begin() as connection:
        records.apply(connection, "fedora-40", "f", records.rows(advisory), clock())


def test_what_feeds_know_is_told_and_nothing_is_planned(suture: Run) -> None:
    code, out, _ = suture("scan", "--accept-new", "--json")
    (failed,) = json.loads(out)["failed"]
    assert (code, "says anything about fedora:40" in failed["message"]) == (3, True)

    _publish(
        suture,
        Affected("fedora:40", "nginx", FixState.FIXED, "2:1.26.1-1.fc40"),
        Affected("fedora:40", "nginx-plus", FixState.FIXED, "99-1"),
        Affected("fedora:40", "filesystem", FixState.FIXED, "3.18-8.fc40"),
    )
    code, out, _ = suture("scan", "--json")
    (host,) = json.loads(out)["hosts"]
    assert (code, host["os"], host["packages"]) == (1, "Fedora Linux 40", 6)
    (finding,) = host["findings"]
    assert (finding["package"], finding["state"]) == ("nginx", "fixed-elsewhere")
    assert finding["installed"] == "2:1.24.0-7.fc40"
    assert host["third_party"] == ["nginx-plus:x86_64"]
    assert host["indexes_age_s"] < 600
    assert "loose" in suture("findings", "--configuration")[1]

    out = suture("plan", "create")[1]
    assert "package manager rpm is not supported" in out
