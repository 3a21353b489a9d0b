"""A small package of our own on a lab host, so that a test decides what each version does.

Versions are built on the host itself and served from a directory there as an apt archive.
"""

from __future__ import annotations

import re
import shlex

from suture.core.documents import digest
from suture.core.inventory import HealthCheck
from suture.core.planning.plan import HostPlan, RebootRule
from suture.core.selection.ledger import Action, Change, Ledger
from suture.hosts.transport import Transport

NAME = "suture-probe"
ARCHIVE = "/srv/probe"
CONFFILE = "/etc/suture-probe.conf"

_UNIT = """[Unit]
Description=Probe
[Service]
ExecStart=/usr/bin/perl /usr/lib/suture-probe/serve
[Install]
WantedBy=multi-user.target
"""

_SERVE = (
    "open my $f, '<', '/etc/suture-probe.conf' or die; <$f> =~ /bad/ and exit 1; sleep 1 while 1;"
)


async def sh(transport: Transport, script: str) -> str:
    """Run a script that must succeed; its standard output."""
    result = await transport.run(script, timeout_s=240)
    assert result.exit == 0, (script, result.stdout[-2000:], result.stderr[-2000:])
    return result.stdout.decode()


async def publish(
    transport: Transport,
    version: str,
    *,
    name: str = NAME,
    depends: str = "",
    config: str = "shipped",
    postinst: str = "",
    unit: bool = True,
    payload_kib: int = 0,
) -> None:
    """Build a version and offer it. ``postinst`` runs before the service is started."""
    tree = f"/srv/build/{name}"
    control = (
        f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        "Maintainer: Lab <lab@example.org>\n"
        + (f"Depends: {depends}\n" if depends else "")
        + "Description: probe\n"
    )
    start = (
        f"systemctl daemon-reload; systemctl enable -q {name}; systemctl restart {name} || true\n"
        if unit
        else ""
    )
    await sh(
        transport,
        f"""
        rm -rf {tree}; mkdir -p {tree}/DEBIAN {tree}/usr/lib/{name} {ARCHIVE}
        printf '%s' {shlex.quote(control)} >{tree}/DEBIAN/control
        printf '#!/bin/sh\\n%s\\n' {shlex.quote(postinst)} >{tree}/DEBIAN/postinst
        printf '%s' {shlex.quote(start)} >>{tree}/DEBIAN/postinst
        chmod 755 {tree}/DEBIAN/postinst
        echo {shlex.quote(version)} >{tree}/usr/lib/{name}/version
        [ {payload_kib} = 0 ] || head -c {payload_kib}K /dev/urandom >{tree}/usr/lib/{name}/payload
        """
        + (
            f"""
        mkdir -p {tree}/usr/lib/systemd/system {tree}/etc
        printf '%s' {shlex.quote(_UNIT)} >{tree}/usr/lib/systemd/system/{name}.service
        printf '%s' {shlex.quote(_SERVE)} >{tree}/usr/lib/{name}/serve
        printf '%s\\n' {shlex.quote(config)} >{tree}/etc/{name}.conf
        echo /etc/{name}.conf >{tree}/DEBIAN/conffiles
        """
            if unit
            else ""
        )
        + f"""
        dpkg-deb --root-owner-group -Zgzip -z1 --build {tree} {ARCHIVE} >/dev/null
        """
        + _INDEX,
    )


_INDEX = f"""
cd {ARCHIVE}
for deb in *.deb; do
    dpkg-deb -f "$deb"
    printf 'Filename: ./%s\\nSize: %s\\n' "$deb" "$(stat -c %s "$deb")"
    printf 'SHA256: %s\\n\\n' "$(sha256sum "$deb" | cut -c1-64)"
done >Packages
echo 'deb [trusted=yes] file:{ARCHIVE} ./' >/etc/apt/sources.list.d/probe.list
apt-get update -qq -o Dir::Etc::sourcelist=/etc/apt/sources.list.d/probe.list \\
    -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=0
"""


async def install(transport: Transport, version: str, *, name: str = NAME) -> None:
    await sh(
        transport,
        "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --allow-downgrades "
        f"{name}={version} </dev/null && apt-get clean",
    )


async def change(
    transport: Transport, before: str | None, after: str, *, name: str = NAME
) -> Change:
    """The plan's line for a version that :func:`publish` offers."""
    shown = await sh(transport, f"apt-cache show {name}={after}")
    fields = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", shown, re.MULTILINE))
    return Change(
        package=name,
        arch="all",
        before=before,
        after=after,
        source=name,
        source_version=after,
        filename=fields["Filename"],
        size=int(fields["Size"]),
        sha256=fields["SHA256"],
        origin="probe",
        action=Action.UPGRADE if before else Action.INSTALL,
    )


def host_plan(
    host: str,
    *changes: Change,
    checks: tuple[HealthCheck, ...] = (),
    reboot: RebootRule = RebootRule.NEVER,
) -> HostPlan:
    return HostPlan(
        host=host,
        release="debian:12",
        arch="amd64",
        package_set="",
        class_id="",
        patch_set=digest(changes),
        changes=changes,
        ledger=Ledger(0, ()),
        closes=(),
        ring="test",
        service=None,
        checks=checks,
        restarts=(),
        reboot=reboot,
        reboot_expected=False,
        download_bytes=sum(one.size for one in changes),
        estimated_s=1.0,
    )
