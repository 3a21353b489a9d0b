"""Snapshots of a host's file systems: which could be taken, and the last resort that they are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

from suture.core.data_backups import SnapshotRule
from suture.core.documents import Document
from suture.core.evidence import Check, Step, Verdict
from suture.hosts.reboot import wait_for_new_boot
from suture.hosts.results import Results
from suture.hosts.session import PatchSession
from suture.hosts.shell import program
from suture.hosts.steps import Outcome, read_query, settle

FULLEST_POOL = 80.0  # per cent; a thin pool that runs full takes its volumes down

_SYSTEM = ("/", "/etc", "/usr", "/var", "/var/lib/dpkg")
_KERNEL = re.compile(r"linux-(image|modules)-")
_WORD = re.compile(r"[A-Za-z0-9/@._+:\[\]-]{1,200}")


class VolumeKind(StrEnum):
    BTRFS = "btrfs"
    SNAPPER = "snapper"
    LVM = "lvm"
    ZFS = "zfs"


class Volume(Document, frozen=True):
    """A file system that can be snapshot: ``source`` is a Btrfs device, a volume (vg/lv) or a
    dataset; ``inner`` a Btrfs subvolume or Snapper's configuration."""

    kind: VolumeKind
    mount: str
    source: str
    inner: str = "-"


class Volumes(Document, frozen=True):
    """What holds the system; ``lacking`` says why a part of it cannot be snapshot. Only all of
    them together bring a system back."""

    found: tuple[Volume, ...]
    lacking: tuple[str, ...]
    own_boot: bool = False


class _Lv(Document, frozen=True):
    name: str
    segtype: str
    pool: str
    fullest: float | None


def parse_volumes(results: Results) -> Volumes:
    """From what ``findmnt``, ``lvs`` and ``snapper`` said on the host."""
    tools = {tool for (tool,) in results.of("tool", 1)}
    configs = {mount: config for config, mount in results.of("snapper", 2)}
    lvs = _logical_volumes(results)
    numbered = {mount for (mount,) in results.of("numbered", 1)}
    mounts = {path: rest for path, *rest in results.of("mount", 5)}
    found: dict[str, Volume] = {}
    lacking: dict[str, str] = {}
    for path in _SYSTEM:
        if path not in mounts:
            lacking[path] = f"what holds {path} is not known"
            continue
        mount, source, type_, inner = mounts[path]
        if mount in found or mount in lacking:
            continue
        one = _volume(mount, source, type_, inner, tools, configs, lvs)
        if mount in numbered and isinstance(one, Volume) and one.kind is VolumeKind.BTRFS:
            one = f"{mount} is mounted by the number of its subvolume (subvolid=), not by its name"
        if isinstance(one, Volume) and all(map(_WORD.fullmatch, (mount, one.source, one.inner))):
            found[mount] = one
        else:
            lacking[mount] = one if isinstance(one, str) else f"{mount} has an unusual name"
    own_boot = mounts.get("/boot", [""])[0] == "/boot"
    return Volumes(tuple(found.values()), tuple(lacking.values()), own_boot)


def _volume(
    mount: str,
    source: str,
    type_: str,
    inner: str,
    tools: set[str],
    configs: Mapping[str, str],
    lvs: Mapping[str, _Lv],
) -> Volume | str:
    """The volume, or why there is none."""
    if type_ == "btrfs" and mount in configs:
        return Volume(VolumeKind.SNAPPER, mount, source, configs[mount])
    if type_ == "btrfs":
        if "btrfs" not in tools:
            return f"{mount} is Btrfs, and the command btrfs is not installed"
        if inner in ("", "/"):
            return f"{mount} is the top level of its Btrfs, which cannot be exchanged"
        return Volume(VolumeKind.BTRFS, mount, source, inner)
    if type_ == "zfs":
        return Volume(VolumeKind.ZFS, mount, source)
    volume = lvs.get(source)
    if volume is None or volume.segtype != "thin":
        return f"{mount} is {type_} on {source}, of which no snapshot can be taken"
    pool = lvs.get(f"{volume.name.partition('/')[0]}/{volume.pool}")
    if pool is None or pool.fullest is None:
        return f"how full the thin pool of {mount} is, is not known"
    if pool.fullest >= FULLEST_POOL:
        return f"the thin pool of {mount} is {pool.fullest:g} % full, {FULLEST_POOL:g} % may be"
    return Volume(VolumeKind.LVM, mount, volume.name)


def _logical_volumes(results: Results) -> dict[str, _Lv]:
    """By device path and by vg/lv."""
    found: dict[str, _Lv] = {}
    for path, group, name, segtype, pool, data, metadata in results.of("lv", 7):
        shares = [share for share in map(_percent, (data, metadata)) if share is not None]
        one = _Lv(f"{group}/{name}", segtype, pool, max(shares, default=None))
        found[path] = found[one.name] = one
    return found


def _percent(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,3}([.]\d{1,4})?", text) else None


async def volumes_for(session: PatchSession) -> tuple[str, Outcome | None, tuple[Check, ...]]:
    """What ``take_snapshots`` is to take, as its table; or why the host is left alone."""
    rule = session.plan.backup.snapshots if session.plan.backup else SnapshotRule.NEVER
    if rule is SnapshotRule.NEVER:
        return "", None, ()
    result = await session.query(program("common", "query", "find-volumes"))
    results, failed = read_query(result)
    if failed:
        return "", failed, ()
    volumes = parse_volumes(results)
    lacking = list(volumes.lacking)
    if volumes.own_boot and any(_KERNEL.match(c.package) for c in session.plan.changes):
        lacking.append("/boot is a file system of its own, and the patch brings a kernel")
    if lacking and rule is SnapshotRule.REQUIRED:
        why = f"no snapshots, which the policy requires: {'; '.join(lacking)}"
        return "", Outcome(Verdict.FAIL, why), ()
    if lacking:
        return "", None, (Check("snapshots", Verdict.PASS, f"none: {'; '.join(lacking)}"),)
    return snapshot_table(volumes, session.bundle_id), None, ()


def snapshot_table(volumes: Volumes, transaction: str) -> str:
    """One line a snapshot for scripts: kind, mount, source, inner, name."""
    return "\n".join(
        "\t".join((one.kind.value, one.mount, one.source, one.inner, f"suture-{transaction}-{n}"))
        for n, one in enumerate(volumes.found)
    )


async def restore_snapshots(session: PatchSession, head: str) -> Outcome:
    """Have the host boot from its snapshots; proved by another boot id. Asked again after that
    boot, the host says that it runs from them. Refused where the loss of data was not accepted."""
    if not (session.way_back and session.way_back.accept_data_loss):
        why = "snapshots take all back that was written since; insist with --accept-data-loss"
        return Outcome(Verdict.FAIL, why)
    receipt = await session.transact(Step.ROLL_BACK, head + program("restore-snapshots"))
    results, failed = settle(receipt)
    if failed and not receipt.rebooted:
        return failed
    if not results.has("rebooting"):
        return Outcome(Verdict.PASS, changed_host=True, checks=results.checks, log=receipt.log)
    return await wait_for_new_boot(session, receipt.boot_then, "back to its snapshots")
