"""The policy's suites, as their files are on this machine now."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from suture.core.documents import digest
from suture.core.host_patterns import matches
from suture.core.inventory import Host
from suture.core.policies.suites import SuiteKind, SuitePolicy
from suture.core.policy import Policy
from suture.core.suites import Suite, SuiteFile
from suture.services.errors import ServiceError
from suture.services.files import read_at_most

_MOST_FILES = 2000
_MOST_BYTES = 32 * 2**20
_MOST_PROGRAM = 256 * 2**20
_PASSED_OVER = frozenset({"__pycache__", ".git", ".pytest_cache", ".venv"})
_ENTRIES = {SuiteKind.GOSS: "goss.yaml", SuiteKind.COMMAND: "run", SuiteKind.TESTINFRA: ""}
"""What is run of a suite that is a directory."""


class SuiteError(ServiceError):
    """A suite cannot be read; ``key`` is the key of the policy that is to be corrected."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message, "Correct the suite in the policy.")
        self.key = key


@dataclass(frozen=True)
class Suites:
    """Each suite of a policy, or why it cannot be read."""

    _read: tuple[tuple[SuitePolicy, Suite | SuiteError, str], ...]

    @classmethod
    def of_policy(cls, policy: Policy) -> Suites:
        return cls(tuple(_attempt(one) for one in policy.suites))

    def on(self, host: Host) -> tuple[Suite, ...]:
        """Those of the host that can be read."""
        return tuple(
            suite
            for policy, suite, _ in self._read
            if isinstance(suite, Suite) and matches(host, policy.on)
        )

    def digest_on(self, host: Host) -> str:
        """Of the content of the host's suites, empty where it has none."""
        found = [known for policy, _, known in self._read if matches(host, policy.on)]
        return digest(sorted(found)) if found else ""

    def problems(self) -> Iterator[tuple[int, SuiteError]]:
        """What cannot be read, by its place in the policy."""
        for place, (_, suite, _) in enumerate(self._read):
            if isinstance(suite, SuiteError):
                yield place, suite


def _attempt(policy: SuitePolicy) -> tuple[SuitePolicy, Suite | SuiteError, str]:
    """With a digest, which no suite that can be read has where this one cannot."""
    try:
        suite = read(policy)
    except SuiteError as error:
        return policy, error, f"unreadable {policy.name}"
    return policy, suite, suite.digest


def read(policy: SuitePolicy) -> Suite:
    """The suite with the content of its files; raises :class:`SuiteError`."""
    path = Path(policy.path)
    entry = _ENTRIES[policy.kind] if path.is_dir() else path.name
    files = tuple(_files(path))
    if not files:
        raise SuiteError("path", f"{path} has no files")
    if entry and not any(file.path == entry for file in files):
        raise SuiteError("path", f"{path} has no {entry}, which is what is run there")
    if policy.kind is SuiteKind.COMMAND and not _runs(files, entry):
        raise SuiteError("path", f"{entry} is not executable; chmod +x it")
    return Suite(
        name=policy.name,
        kind=policy.kind,
        timeout_s=policy.timeout_s,
        entry=entry,
        files=files,
        goss=_content("goss", Path(policy.goss), _MOST_PROGRAM) if policy.goss else b"",
        python=_python(policy),
    )


def _files(path: Path) -> Iterator[SuiteFile]:
    left = _MOST_BYTES
    for count, (file, name) in enumerate(_walk(path), 1):
        content = _content("path", file, left)
        left -= len(content)
        if count > _MOST_FILES:
            raise SuiteError("path", f"{path} has more than {_MOST_FILES:,} files")
        yield SuiteFile(name, content, os.access(file, os.X_OK))


def _walk(path: Path) -> Iterator[tuple[Path, str]]:
    """Files and their names in the suite, in a stable order; only regular ones in directories."""
    if not path.is_dir():
        yield path, path.name
        return
    for directory, below, names in os.walk(path):
        below[:] = sorted(set(below) - _PASSED_OVER)
        for name in sorted(names):
            file = Path(directory, name)
            if file.is_file():
                yield file, file.relative_to(path).as_posix()


def _content(key: str, path: Path, limit: int) -> bytes:
    try:
        return read_at_most(path, limit)
    except FileNotFoundError:
        raise SuiteError(key, f"there is no {path} on this machine") from None
    except OSError as error:
        raise SuiteError(key, f"{path} cannot be read: {error.strerror}") from None
    except ServiceError as error:
        raise SuiteError(key, error.message) from None


def _runs(files: tuple[SuiteFile, ...], entry: str) -> bool:
    return any(file.path == entry and file.executable for file in files)


def _python(policy: SuitePolicy) -> str:
    if policy.kind is not SuiteKind.TESTINFRA:
        return ""
    if policy.python and not os.access(policy.python, os.X_OK):
        raise SuiteError("python", f"there is no program {policy.python} on this machine")
    return policy.python or "python3"
