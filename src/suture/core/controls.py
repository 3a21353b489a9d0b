"""Controls: configuration changes that stand in for a patch, or that close what no patch does.

A control is data. What checks, applies and reverts it on a host is in ``suture.hosts``; here is
what it may say. Its words reach a shell on the host, so each has a strict pattern, and what could
not be taken back again, or would cut off the way to the host, is refused here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec
from msgspec import Meta

from suture.core.documents import Document
from suture.core.inventory import Host, Inventory, PackageState

ControlId = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9-]{0,47}\Z",
        description="a name (small letters, digits, `-`; at most 48)",
    ),
]
Cve = Annotated[
    str,
    Meta(pattern=r"^CVE-[0-9]{4}-[0-9]{4,19}\Z", description="a CVE such as CVE-2026-31431"),
]
Line = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{1,1000}\Z", description="one line of text")]
Pattern = Annotated[
    str,
    Meta(pattern=r"^[^\x00-\x20\x7f]{1,255}\Z", description="a name or a pattern such as web-*"),
]
SysctlKey = Annotated[
    str,
    Meta(
        pattern=r"^(?=.{3,128}\Z)[a-z][a-z0-9_-]*(\.[A-Za-z0-9_-]+)+\Z",
        description="a sysctl such as kernel.kptr_restrict",
    ),
]
SysctlValue = Annotated[
    str,
    Meta(
        pattern=r"^(?=.{1,256}\Z)[A-Za-z0-9|/._:,%+=-]+( [A-Za-z0-9|/._:,%+=-]+)*\Z",
        description='a value in quotes such as "1"; words have one space between them',
    ),
]
ModuleName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z",
        description="the name of a kernel module",
    ),
]
UnitName = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,200}\.(service|socket|timer|path)\Z",
        description="a systemd unit such as rpcbind.socket",
    ),
]
FilePath = Annotated[
    str,
    Meta(
        pattern=r"^(?!.*(//|/\.\.?(/|\Z)|/\Z))/[A-Za-z0-9._@+/-]{1,254}\Z",
        description="a file's path from / (letters, digits, `.`, `_`, `@`, `+`, `-`)",
    ),
]
SettingKey = Annotated[
    str,
    Meta(
        pattern=r"^(?=.{1,128}\Z)[A-Za-z0-9_.-]+( [A-Za-z0-9_.-]+)*\Z",
        description="the name of a setting",
    ),
]
SettingValue = Annotated[
    str,
    Meta(
        pattern=r"^(?! )[ -~]{1,1000}(?<![ \\])\Z",
        description="a value in quotes, on one line, without spaces or a backslash at its end",
    ),
]
Section = Annotated[
    str,
    Meta(pattern=r"^(?! )[^\x00-\x1f\x7f\[\]]{1,128}(?<! )\Z", description="a section's name"),
]
Command = Annotated[
    str, Meta(pattern=r"^[ -~]{1,500}\Z", description="a command on one line, such as sshd -t")
]

# Masked, these take away the way to the host or what carries every other service.
_KEEP_RUNNING = (
    *("ssh.*", "sshd.*", "ssh@*", "sshd@*", "dbus*", "systemd-journald*", "systemd-logind*"),
    *("systemd-networkd*", "systemd-resolved*", "systemd-udevd*", "systemd-tmpfiles-setup*"),
    *("networking.*", "NetworkManager.*", "ifup@*", "getty@*", "serial-getty@*", "suture-*"),
)

# Values that the kernel takes back at a reboot alone (Documentation/admin-guide/sysctl/kernel.rst).
_ONE_WAY = {
    ("kernel.kexec_load_disabled", "1"): "",
    ("kernel.modules_disabled", "1"): "block the modules by name",
    ("kernel.unprivileged_bpf_disabled", "1"): "2 can be taken back",
    ("kernel.yama.ptrace_scope", "3"): "2 can be taken back",
}

# Of most settings sshd takes the first; of these it takes all there are.
_REPEATABLE = frozenset(
    {
        *("acceptenv", "allowgroups", "allowusers", "denygroups", "denyusers", "host", "hostkey"),
        *("include", "listenaddress", "match", "port", "sendenv", "setenv", "subsystem"),
    }
)


class Sysctl(Document, frozen=True):
    """A parameter of the running kernel, and the same after every boot."""

    key: SysctlKey
    value: SysctlValue

    def __post_init__(self) -> None:
        if (self.key, self.value) in _ONE_WAY:
            hint = _ONE_WAY[self.key, self.value]
            instead = f"; {hint}" if hint else ""
            raise ValueError(f"{self.key} = {self.value} holds until the next boot{instead}")


class Module(Document, frozen=True):
    """A kernel module that is neither loaded nor can be."""

    name: ModuleName


class Mask(Document, frozen=True):
    """A unit that does not run and cannot be started."""

    unit: UnitName

    def __post_init__(self) -> None:
        if any(fnmatchcase(self.unit, pattern) for pattern in _KEEP_RUNNING):
            raise ValueError(f"`{self.unit}` carries the way to the host; it is not masked")


class SettingFormat(StrEnum):
    """SSHD: ``Key value``, the first counts (as in ``ssh_config``, too). INI: ``key = value``
    below ``[section]``; KEY_VALUE: ``key=value``; the last counts in both."""

    SSHD = "sshd"
    INI = "ini"
    KEY_VALUE = "key=value"


class Setting(Document, frozen=True):
    """One setting in a file.

    ``section`` is for INI alone. ``validate`` is a shell command that is run as root on the host
    when the file is written; where it fails, the file is put back and nothing is reloaded.
    ``reload`` is a unit that is told to read the file again, where it runs.
    """

    file: FilePath
    key: SettingKey
    value: SettingValue
    format: SettingFormat
    section: Section | None = None
    reload: UnitName | None = None
    validate: Command | None = None

    def __post_init__(self) -> None:
        if self.section is not None and self.format is not SettingFormat.INI:
            raise ValueError("only the format `ini` has sections")
        if " " in self.key and self.format is not SettingFormat.INI:
            raise ValueError("only the format `ini` has keys of several words")
        if self.format is SettingFormat.SSHD and self.key.lower() in _REPEATABLE:
            raise ValueError(f"`{self.key}` may stand there several times; it is no one setting")


class Condition(Document, frozen=True):
    """Where a control applies: each kind of pattern that is named has to match, none of them
    everywhere. ``hosts`` are patterns of a name, a label or a service, ``releases`` as
    ``debian:12``, ``packages`` of an installed package."""

    releases: tuple[Pattern, ...] = ()
    packages: tuple[Pattern, ...] = ()
    hosts: tuple[Pattern, ...] = ()

    def __str__(self) -> str:
        named = (("release", self.releases), ("package", self.packages), ("host", self.hosts))
        parts = [f"{what} {' or '.join(patterns)}" for what, patterns in named if patterns]
        return ", ".join(parts) or "every host"


class Control(Document, frozen=True, kw_only=True, omit_defaults=True):
    """One change and why; exactly one of ``sysctl``, ``module``, ``mask`` and ``setting``.

    ``cves`` are those that it mitigates until a patch comes.
    """

    id: ControlId
    title: Line
    reason: Line
    cves: tuple[Cve, ...] = ()
    when: Condition = Condition()
    sysctl: Sysctl | None = None
    module: Module | None = None
    mask: Mask | None = None
    setting: Setting | None = None

    def __post_init__(self) -> None:
        changes = (self.sysctl, self.module, self.mask, self.setting)
        if sum(change is not None for change in changes) != 1:
            raise ValueError("a control has one of sysctl, module, mask and setting")

    @property
    def target(self) -> tuple[str, ...]:
        """What it changes; two controls of one target contradict each other."""
        if self.sysctl:
            return ("sysctl", self.sysctl.key)
        if self.module:
            return ("module", self.module.name.replace("-", "_"))
        if self.mask:
            return ("mask", self.mask.unit)
        assert self.setting
        is_sshd = self.setting.format is SettingFormat.SSHD
        key = self.setting.key.lower() if is_sshd else self.setting.key
        return ("setting", self.setting.file, self.setting.section or "", key)

    @property
    def summary(self) -> str:
        """What it makes of a host, in a line."""
        if self.sysctl:
            return f"sysctl {self.sysctl.key} = {self.sysctl.value}"
        if self.module:
            return f"module {self.module.name} is blocked"
        if self.mask:
            return f"{self.mask.unit} is masked and stopped"
        assert self.setting
        section = f" [{self.setting.section}]" if self.setting.section else ""
        return f"{self.setting.file}{section}: {self.setting.key} = {self.setting.value}"

    def applies(self, host: Host, inventory: Inventory) -> bool:
        """Whether the host is one that its condition means."""
        words = (host.name, *host.labels, *((host.service,) if host.service else ()))
        installed = (
            package.name
            for package in inventory.packages.packages
            if package.state is not PackageState.RESIDUAL
        )
        return (
            _any_matches(self.when.hosts, words)
            and _any_matches(self.when.releases, (inventory.os.release,))
            and _any_matches(self.when.packages, installed)
        )


def _any_matches(patterns: Sequence[str], words: Iterable[str]) -> bool:
    return not patterns or any(fnmatchcase(word, one) for word in words for one in patterns)


def parse(text: str, *, name: str) -> Control:
    """Read a control; ``name`` is the file's name, for messages.

    Raises :class:`suture.core.yaml_reading.DocumentError`, which names file, line and key.
    """
    # Controls that are read from the database alone need no YAML.
    from suture.core.yaml_reading import read_yaml

    return read_yaml(text, Control, name=name)


def masked_units(controls: Iterable[Control]) -> frozenset[str]:
    return frozenset(control.mask.unit for control in controls if control.mask)


def fault(control: Control) -> str:
    """What in ``control`` is not as this module allows, empty where nothing is.

    Reading one checks it already; this is for those that came about some other way.
    """
    try:
        msgspec.convert(msgspec.to_builtins(control), Control)
    except (msgspec.ValidationError, TypeError) as error:
        return str(error)
    return ""
