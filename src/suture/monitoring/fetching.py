"""Asking a monitoring system over HTTP: bounded in time and size, tried again twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from suture.core.documents import decode

T = TypeVar("T")

MOST_BYTES = 16 * 1024 * 1024
_TIMEOUT = urllib3.Timeout(connect=5, read=20)
_RETRIES = urllib3.Retry(
    total=2, redirect=0, backoff_factor=0.5, status_forcelist=(502, 503, 504), raise_on_status=False
)


class MonitoringError(Exception):
    """It did not answer, or not what it should."""


def fetch(address: str, query: Mapping[str, str | Sequence[str]] | None = None) -> bytes:
    """Raises :class:`MonitoringError`."""
    url = f"{address}?{urlencode(query, doseq=True)}" if query else address
    try:
        with urllib3.PoolManager(retries=_RETRIES, timeout=_TIMEOUT) as pool:
            answer = pool.request("GET", url, preload_content=False)
            body = answer.read(MOST_BYTES + 1)
            answer.close()
    except HTTPError as error:
        raise MonitoringError(f"{address} does not answer: {str(error)[:300]}") from None
    if answer.status != 200:
        raise MonitoringError(f"{address} answers with status {answer.status}: {body[:200]!r}")
    if len(body) > MOST_BYTES:
        raise MonitoringError(f"{address} answers more than {MOST_BYTES >> 20} MiB")
    return body


def fetch_json(
    address: str, type_: type[T], query: Mapping[str, str | Sequence[str]] | None = None
) -> T:
    """Raises :class:`MonitoringError`."""
    try:
        return decode(fetch(address, query), type_)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MonitoringError(f"{address} answers something else: {error}") from None
