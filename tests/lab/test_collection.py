"""A host tells its packages again whenever anything that they were read from has changed."""

from __future__ import annotations

import asyncio
import secrets

import pytest

from lab.fleet import LabHost
from suture.core.inventory import Inventory
from suture.hosts import facts
from suture.services.collecting import clock

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab")]

_YOUNG_S = 2.5
_PIN = "/etc/apt/preferences.d/pin"
_PINNED = rf"printf 'Package: openssl\nPin: version 3*\nPin-Priority: 1000\n' >{_PIN}"
_CHANGES = {
    "a held package": "apt-mark hold openssl",
    "a package that nothing needs any more": "apt-mark auto nginx-light",
    "a pin": _PINNED,
    "another pin, as long and as old": f"touch -r {_PIN} /tmp/age; sed -i s/1000/2000/ {_PIN}; "
    f"touch -r /tmp/age {_PIN}",
    "an archive gone": "rm /etc/apt/sources.list.d/suture-lab.list",
    "a setting": "echo 'APT::Default-Release \"bookworm\";' >/etc/apt/apt.conf.d/50release",
    "a package list": "cd /var/lib/apt/lists; for list in *_Packages; do cp -a $list copy; "
    "mv copy $list; done",
    "a foreign architecture": "dpkg --add-architecture i386",
}


async def _collect(server: LabHost, before: Inventory | None = None) -> Inventory:
    async with server.connect() as way:
        return await facts.collect(
            way, server.host, now=clock, nonce=secrets.token_hex(16), before=before
        )


@pytest.mark.parametrize("change", _CHANGES)
async def test_a_change_is_told(server: LabHost, change: str) -> None:
    if change.startswith("another"):
        server.run(_PINNED)
    await asyncio.sleep(_YOUNG_S)
    before = await _collect(server)
    assert before.stamp
    assert (await _collect(server, before)).stamp == before.stamp
    server.run(_CHANGES[change])
    assert (await _collect(server, before)).stamp != before.stamp
    await asyncio.sleep(_YOUNG_S)
    after = await _collect(server, before)
    assert after.stamp
    assert after.stamp != before.stamp


async def test_what_is_taken_from_before_is_what_would_be_read(server: LabHost) -> None:
    await asyncio.sleep(_YOUNG_S)
    before = await _collect(server)
    again = await _collect(server, before)
    for field in ("packages", "held", "automatic", "third_party", "pinned", "updates", "archives"):
        assert getattr(again, field) == getattr(before, field)


@pytest.mark.parametrize(
    "setting",
    [
        'Dir::Etc::preferences "other";',
        'dir { etc { Preferences "other"; }; };',
        '#include "/etc/other";',
    ],
)
async def test_files_kept_elsewhere_give_no_stamp(server: LabHost, setting: str) -> None:
    server.run("echo 'Dir::Etc::preferences \"other\";' >/etc/other")
    server.run(f"echo '{setting}' >/etc/apt/apt.conf.d/99elsewhere")
    await asyncio.sleep(_YOUNG_S)
    assert not (await _collect(server)).stamp


async def test_a_setting_that_takes_unsigned_packages_is_told(server: LabHost) -> None:
    server.run("echo 'APT { Get { AllowUnauthenticated true; }; };' >/etc/apt/apt.conf.d/99trust")
    configuration = (await _collect(server)).configuration
    assert configuration
    assert configuration.unauthenticated == ('APT::Get::AllowUnauthenticated "true";',)
