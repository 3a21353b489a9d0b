"""What is kept on hosts for the way back, how long, and which data belongs to it."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from msgspec import Meta

from suture.core.data_backups import DataDirectory, Dump, SnapshotRule, is_data_path
from suture.core.documents import Document
from suture.core.words import (
    AbsolutePath,
    Count,
    Duration,
    Name,
    Pattern,
    Size,
    Span,
    seconds,
    size_bytes,
)

Command = Annotated[
    str,
    Meta(pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]{1,4096}\Z", description="a shell command"),
]

Unit = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9@._:\\-]{0,200}\.(service|socket|timer|path)\Z",
        description="a unit such as app.service",
    ),
]


class DataPolicy(Document, frozen=True, kw_only=True):
    """A directory with data at rest that becomes part of the return bundle of the hosts that
    ``on`` matches; ``units`` stand still while it is put back."""

    on: Pattern
    path: AbsolutePath
    max_size: Size = "1GiB"
    units: tuple[Unit, ...] = ()

    def __post_init__(self) -> None:
        if not is_data_path(self.path.rstrip("/")):
            raise ValueError(f"`{self.path}` is no directory of data; name the one of the program")

    @property
    def directory(self) -> DataDirectory:
        return DataDirectory(self.path.rstrip("/"), size_bytes(self.max_size), self.units)


class DumpPolicy(Document, frozen=True, kw_only=True):
    """A dump that becomes part of the return bundle of the hosts that ``on`` matches."""

    on: Pattern
    name: Name
    command: Command
    restore: Command | None = None
    verify: Command | None = None
    timeout: Span = "30m"

    @property
    def dump(self) -> Dump:
        return Dump(
            self.name,
            self.command,
            self.restore or "",
            self.verify or "",
            int(seconds(self.timeout)),
        )


class SnapshotPolicy(Document, frozen=True, kw_only=True):
    """Whether snapshots are taken of the file systems of the hosts that ``on`` matches."""

    on: Pattern
    rule: SnapshotRule = SnapshotRule.WHERE_POSSIBLE


class SnapshotHookPolicy(Document, frozen=True, kw_only=True):
    """Commands on the controller for snapshots by a hypervisor or a cloud. ``command`` prints an
    id; with ``list``, that has to print it as well; ``restore`` brings the machine back to it.
    """

    on: Pattern
    command: Command
    restore: Command | None = None
    list: Command | None = None
    timeout: Span = "10m"


class BackupPolicy(Document, frozen=True, kw_only=True):
    """A host keeps its return bundles for ``keep``, in any case the ``keep_last`` newest, within
    ``max_disk``. Of ``snapshots`` and ``snapshot_hooks``, the first that matches a host counts."""

    keep: Duration = "30d"
    keep_last: Count = 2
    max_disk: Size = "2GiB"
    data: tuple[DataPolicy, ...] = ()
    dumps: tuple[DumpPolicy, ...] = ()
    snapshots: tuple[SnapshotPolicy, ...] = ()
    snapshot_hooks: tuple[SnapshotHookPolicy, ...] = ()

    def __post_init__(self) -> None:
        for (on, name), times in Counter((one.on, one.name) for one in self.dumps).items():
            if times > 1:
                raise ValueError(f"two dumps of {on} are called `{name}`; rename one")
