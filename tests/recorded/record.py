"""Record what real hosts answer to the collection, as data for tests.

``python tests/recorded/record.py NAME USER@ADDRESS KEY`` writes ``collect/NAME.txt.gz``, the
sections as the host printed them (its archive's site renamed), and ``collect/NAME.json``, what
is read from them. Look the second over before you commit it: it is what tests will expect.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from suture.core.inventory import Host, Inventory
from suture.hosts import facts
from suture.hosts.transport.connector import Connector
from suture.hosts.transport.known_hosts import FirstUse, KnownHosts
from suture.hosts.transport.settings import SshSettings

HERE = Path(__file__).parent / "collect"
NONCE = "0123456789abcdef"
SITE = b"archive.example"


class Recording(msgspec.Struct, frozen=True):
    """``expected`` is :func:`summary` of the inventory read from ``output``."""

    started: datetime
    ended: datetime
    expected: dict[str, object]


def summary(inventory: Inventory) -> dict[str, object]:
    """Small enough to be looked over, large enough that a misread line shows."""
    packages = inventory.packages.packages
    states = sorted({one.state.value for one in packages})
    return {
        "os": f"{inventory.os.release} {inventory.os.codename}",
        "archs": [inventory.arch, *inventory.foreign_archs],
        "container": inventory.kernel.container,
        "packages": len(packages),
        "states": {state: sum(one.state == state for one in packages) for state in states},
        "foreign": [one.key for one in packages if one.arch in inventory.foreign_archs],
        "held": list(inventory.held),
        "automatic": len(inventory.automatic),
        "third_party": list(inventory.third_party),
        "pinned": list(inventory.pinned),
        "updates": [
            f"{one.key} {one.installed} -> {one.candidate} "
            f"[{', '.join(f'{each.version} {each.origins[0]}' for each in one.versions)}]"
            for one in inventory.updates
        ],
        "described": sum(
            bool(each.sha256 and each.size and each.filename)
            for one in inventory.updates
            for each in one.versions
        ),
        "installable": [f"{one.key} {one.version}" for one in inventory.installable],
        "archives": [str(one) for one in inventory.archives],
        "reboot": [inventory.reboot_required, *inventory.reboot_packages],
        "stale": sorted({f"{one.unit} {one.package} {one.path}" for one in inventory.stale}),
        "listeners": [
            f"{one.protocol} {one.address}:{one.port} {one.process} {one.unit}"
            for one in inventory.listeners
        ],
        "services": [
            f"{one.unit} {one.active}/{one.sub} {one.enabled}"
            for one in inventory.services
            if one.active == "active"
        ],
        "disks": [one.mount for one in inventory.disks],
        "updaters": [f"{one.name} {one.active} {one.enabled}" for one in inventory.updaters],
        "synchronised": inventory.clock.synchronised,
        "indexes_age_s": inventory.indexes_age_s,
        "notes": list(inventory.notes),
    }


def load(name: str) -> tuple[bytes, Recording]:
    output = gzip.decompress((HERE / f"{name}.txt.gz").read_bytes())
    return output, msgspec.json.decode((HERE / f"{name}.json").read_bytes(), type=Recording)


def names() -> list[str]:
    return sorted(path.name.removesuffix(".txt.gz") for path in HERE.glob("*.txt.gz"))


async def _run(user: str, address: str, key: str) -> tuple[bytes, datetime, datetime]:
    store = KnownHosts(Path("~/.ssh/known_hosts").expanduser())
    settings = SshSettings(first_use=FirstUse.STRICT)
    host = Host(name=address, address=address, user=user, key=key)
    async with Connector(store, settings=settings) as connector, connector.connect(host) as way:
        started = datetime.now(UTC)
        result = await way.run(facts.script(NONCE), timeout_s=facts.TIMEOUT_S)
        return gzip.decompress(result.stdout), started, datetime.now(UTC)


def main() -> None:
    name, target, key = sys.argv[1:]
    user, _, address = target.rpartition("@")
    output, started, ended = asyncio.run(_run(user or "root", address, key))
    write(name, output, started, ended)


def write(name: str, output: bytes, started: datetime, ended: datetime) -> None:
    output = re.sub(rb"(https?://)[A-Za-z0-9.-]+", rb"\1" + SITE, output)
    output = re.sub(rb"(?m)^(     origin )\S+$", rb"\1" + SITE, output)
    host = Host(name=name, address="192.0.2.1")
    read = facts.read_inventory(host, output, nonce=NONCE, started=started, ended=ended)
    recording = Recording(started=started, ended=ended, expected=summary(read))
    (HERE / f"{name}.txt.gz").write_bytes(gzip.compress(output, mtime=0))
    text = msgspec.json.format(msgspec.json.encode(recording), indent=2)
    (HERE / f"{name}.json").write_bytes(text + b"\n")


if __name__ == "__main__":
    main()
