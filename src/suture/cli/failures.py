"""Expected failures, printed with their remedy; imported only when one has happened."""

from __future__ import annotations

import errno

from suture.cli.output import console, plain

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def report(error: Exception) -> int | None:
    """Print ``error`` to standard error and answer the exit code; None when it is a defect."""
    from suture.core.policy import PolicyError
    from suture.hosts.transport import HostError
    from suture.imports.ansible import InventoryFileError
    from suture.services.errors import ServiceError
    from suture.store.errors import StoreError

    if isinstance(error, HostError):
        failure = error.failure
        _print(f"{failure.host}: {failure.message}", failure.remedy)
        return 3
    if isinstance(error, ServiceError | StoreError):
        _print(error.message, error.remedy)
        return 2
    if isinstance(error, PolicyError | InventoryFileError):
        _print(str(error), "")
        return 2
    if isinstance(error, OSError) and error.filename:
        _print(f"{error.filename}: {error.strerror}", "")
        return 2
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        _print(f"cannot write the output: {error.strerror}", "What was asked may have been done.")
        return 2
    return None


def _print(message: str, remedy: str) -> None:
    out = console(stderr=True)
    out.print(plain("suture: ", "bold red") + plain(message, limit=4000))
    if remedy:
        out.print(plain("        " + remedy, limit=4000))
