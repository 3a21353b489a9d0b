"""The archives that this machine's own apt trusts, found in apt's configuration."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

_FORMAT = "$(ORIGIN)|$(CODENAME)|$(REPO_URI)|$(COMPONENT)"


@dataclass(frozen=True)
class Archives:
    """The distribution's archives: addresses that end in ``/``; ``updates`` is "" for none."""

    distribution: str
    suite: str
    release: str
    security: str
    updates: str

    def release_line(self, suite: str) -> str:
        return f"deb {self.release} {suite} {self._components}"

    def updates_line(self, suite: str) -> str:
        """Empty where this machine's apt has none, and for another release than its own."""
        if not self.updates or suite != self.suite:
            return ""
        return f"deb {self.updates} {suite}-updates {self._components}"

    def security_line(self, suite: str) -> str:
        return f"deb {self.security} {suite}-security {self._components}"

    @property
    def _components(self) -> str:
        return "main universe" if self.distribution == "ubuntu" else "main"


class NoArchivesError(Exception):
    """apt on this machine knows no archive of its distribution."""


def distribution() -> tuple[str, str]:
    """``ID`` and ``VERSION_CODENAME`` of this machine."""
    try:
        text = Path("/etc/os-release").read_text()
    except OSError:
        return "", ""
    fields = dict(re.findall(r'^([A-Z_]+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return fields.get("ID", ""), fields.get("VERSION_CODENAME", "")


def find_archives() -> Archives:
    """Raises :class:`NoArchivesError` with the remedy."""
    name, suite = distribution()
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", _FORMAT, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = {}
    for line in listed.splitlines():
        origin, codename, uri, component = line.split("|")
        if origin.lower() == name and component == "main":
            found[codename] = uri
    try:
        return Archives(
            distribution=name,
            suite=suite,
            release=found[suite],
            security=found[f"{suite}-security"],
            updates=found.get(f"{suite}-updates", ""),
        )
    except KeyError as missing:
        raise NoArchivesError(
            f"apt has no package lists of {missing}: add it to the sources and run `apt-get update`"
        ) from None


def proxy_settings() -> str:
    """apt's own proxy settings, as lines for another apt.conf."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True)
    wanted = re.compile(r"^Acquire::https?::Proxy(::\S+)? ", re.IGNORECASE)
    return "".join(f"{line}\n" for line in dump.stdout.splitlines() if wanted.match(line))
