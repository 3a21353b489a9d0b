"""What a service says when it cannot do what was asked, and what to do about it."""

from __future__ import annotations


class ServiceError(Exception):
    """``remedy`` is one sentence that an operator can act on."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class NotFoundError(ServiceError):
    """What was named does not exist."""


class RefusedError(ServiceError):
    """It exists, and must not be done now."""
