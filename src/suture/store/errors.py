"""Why a database cannot be used."""

from __future__ import annotations


class StoreError(Exception):
    """The database cannot be used; ``remedy`` says what to do."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class DeadlockError(StoreError):
    """Two transactions waited for one another, and the database gave this one up."""


def refused(place: str, why: object) -> StoreError:
    """What the driver says of the database at ``place``, in an operator's words."""
    if str(why) == "database is locked":  # SQLite's words, after the time that it waits for others
        return StoreError(
            f"the database {place} is locked: another process has been writing to it for too long",
            "It may have been stopped in the middle. `fuser` names who has the file open: let it "
            "go on, or end it. Then do this again.",
        )
    if "no password supplied" in str(why) or "password authentication failed" in str(why):
        return StoreError(
            f"the database {place} refused: {why}",
            "The password is read from ~/.pgpass, or the file that PGPASSFILE names: lines "
            "host:port:database:user:password, in a file that this user can read and no group or "
            "other can.",
        )
    return StoreError(
        f"the database {place} refused: {why}",
        "Check that it is there, not damaged, and that its disk has space.",
    )
