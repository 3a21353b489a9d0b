"""Health checks: asked on the host itself, before and after."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable

from msgspec import UNSET

from suture.core.evidence import Check, Verdict
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.hosts.results import Results, parse_results
from suture.hosts.session import PatchSession
from suture.hosts.shell import program, quote
from suture.hosts.steps import UnfitPlanError


async def check_health(
    session: PatchSession, checks: tuple[HealthCheck, ...], *, wait_s: int
) -> tuple[Check, ...]:
    """Ask ``checks`` now; services get ``wait_s`` seconds to come up. Raises HostError."""
    script = program("common", "query", "health") + health_functions(checks)
    result = await session.query(script + f"run_health {wait_s} >&3\n")
    answers = _answers(parse_results(result.stdout), "health")
    return tuple(_judged(check, answers.get(n, _NONE), None) for n, check in enumerate(checks))


def health_functions(checks: Iterable[HealthCheck]) -> str:
    """The shell function ``health_checks``, which asks each check once."""
    lines = [_call(number, check) for number, check in enumerate(checks)]
    return "health_checks() {\n" + "".join(f"    {line}\n" for line in [*lines, ":"]) + "}\n"


def judge_health(checks: tuple[HealthCheck, ...], results: Results) -> tuple[Check, ...]:
    """Compare the answers after with those before.

    What failed before and fails now is not the patch's doing and no pass either: INCONCLUSIVE.
    """
    before, after = _answers(results, "health-before"), _answers(results, "health")
    return tuple(
        _judged(check, after.get(number, _NONE), before.get(number))
        for number, check in enumerate(checks)
    )


_Answer = tuple[str, str]
_NONE: _Answer = ("unknown", "the host gave no answer; run the check by hand")


def _answers(results: Results, kind: str) -> dict[int, _Answer]:
    return {
        int(number): (word, detail)
        for number, word, detail in results.of(kind, 3)
        if number.isascii() and number.isdigit() and len(number) < 6
    }


def _judged(check: HealthCheck, after: _Answer, before: _Answer | None) -> Check:
    word, detail = after
    if word == "ok":
        return Check(check.name, Verdict.PASS, detail)
    if word != "fail":
        return Check(check.name, Verdict.INCONCLUSIVE, detail)
    if before is not None and before[0] == "fail":
        return Check(check.name, Verdict.INCONCLUSIVE, f"failed before already; now: {detail}")
    return Check(check.name, Verdict.FAIL, detail)


def _call(number: int, check: HealthCheck) -> str:
    seconds = max(1, min(600, math.ceil(check.timeout_s)))
    match check.kind:
        case HealthCheckKind.UNIT:
            return f"check_unit {number} {quote(check.target)}"
        case HealthCheckKind.PORT:
            addresses, port = _port_pattern(check.target)
            return f"check_port {number} {quote(addresses)} {port}"
        case HealthCheckKind.HTTP:
            body = quote(check.body)
            return f"check_http {number} {seconds} {quote(check.target)} {check.status} {body}"
        case HealthCheckKind.COMMAND:
            return f"check_command {number} {seconds} {quote(check.target)}"
        case HealthCheckKind.FILE:
            wanted = (check.mode, check.owner, check.sha256, check.body or UNSET)
            words = " ".join(quote("" if one is UNSET else one) for one in wanted)
            return f"check_file {number} {quote(check.target)} {words}"


def _port_pattern(target: str) -> tuple[str, str]:
    """Addresses and port as ``/proc/net/tcp`` writes them; a wildcard listener counts, too."""
    address, _, port = target.rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise UnfitPlanError(
            f"a port check needs address:port, not {target!r:.80}; correct the check"
        )
    wildcard = f"{'0' * 8}|{'0' * 32}"
    address = address.strip("[]").partition("%")[0]
    if address in ("", "*", "0.0.0.0", "::"):  # noqa: S104
        return ".*", f"{int(port):04X}"
    try:
        packed = ipaddress.ip_address(address).packed
    except ValueError:
        raise UnfitPlanError(f"{target!r:.80} names no IP address; correct the check") from None
    return f"{_as_kernel_writes(packed)}|{wildcard}", f"{int(port):04X}"


def _as_kernel_writes(packed: bytes) -> str:
    """Each 32-bit word in little-endian order, as nearly every server's kernel prints it."""
    words = [packed[start : start + 4] for start in range(0, len(packed), 4)]
    return "".join(word[::-1].hex().upper() for word in words)
