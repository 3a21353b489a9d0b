"""Transactions: mutating scripts that belong to the host, not to the connection.

State lives on the host in ``/var/lib/suture``: ``lock``, ``fence``, ``busy``,
``tx/<id>/{script,log,result,exit,boot_id,return/}``. A transaction is started once under its id;
asking again reports it. It runs detached, so a lost connection or a killed controller neither
stops nor repeats it. The host refuses a fence lower than one it has seen, so a controller that
was taken over and wakes up again changes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum

from suture.core.documents import Document
from suture.hosts.shell import printable, program, source
from suture.hosts.transport import FailureKind, HostError, HostFailure, Result, Transport

LOG_TAIL = 16_384
_MAX_REPORT = 700_000
_BUSY = 75
_EARLIER = "earlier output is left out"

OnOutput = Callable[[str], None]


class TransactionState(StrEnum):
    """PREPARED: written, never started. INTERRUPTED: started, and its process is gone without
    an exit status (power cut, kill -9). REFUSED: the host has seen a higher fence. BUSY: another
    transaction was at work, and nothing was done."""

    ABSENT = "absent"
    PREPARED = "prepared"
    RUNNING = "running"
    DONE = "done"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"
    BUSY = "busy"

    @property
    def is_final(self) -> bool:
        return self in (self.DONE, self.INTERRUPTED, self.REFUSED, self.BUSY)


class Transaction(Document, frozen=True):
    """``id`` comes from :func:`transaction_id`; ``fence`` grows with every takeover."""

    id: str
    fence: int
    script: str


class Receipt(Document, frozen=True):
    """What the host says about a transaction.

    ``fence`` is the host's own. ``boot_then`` is the boot in which it started: another
    ``boot_now`` means a reboot since. ``result`` is what the script reported, ``log`` the end of
    what it printed, ``offset`` how many bytes of the log have been read.
    """

    id: str
    state: TransactionState
    fence: int
    exit: int | None
    started_at: datetime | None
    ended_at: datetime | None
    boot_then: str
    boot_now: str
    result: str = ""
    log: str = ""
    offset: int = 0

    @property
    def succeeded(self) -> bool:
        return self.state is TransactionState.DONE and self.exit == 0

    @property
    def rebooted(self) -> bool:
        return bool(self.boot_then) and self.boot_then != self.boot_now


def transaction_id(plan_id: str, host: str, step: str, attempt: int) -> str:
    """The same step of the same attempt is the same transaction, whoever asks. 20 hex digits."""
    return hashlib.sha256(f"{plan_id}\0{host}\0{step}\0{attempt}".encode()).hexdigest()[:20]


def bundle_id(plan_id: str, host: str) -> str:
    """The transaction that keeps the return bundle of a rollout on a host."""
    return transaction_id(plan_id, host, "return", 0)


def start_script(tx: Transaction, *, wait_s: int) -> str:
    """Starts ``tx`` unless the host has it, waits up to ``wait_s`` seconds, and reports it."""
    return program(
        "common",
        "start",
        "follow",
        TX=_checked(tx.id),
        FENCE=tx.fence,
        SCRIPT_SHA256=hashlib.sha256(tx.script.encode()).hexdigest(),
        RUNNER=source("runner"),
        OFFSET=0,
        WAIT_S=wait_s,
    )


def follow_script(tx_id: str, *, offset: int, wait_s: int) -> str:
    return program("common", "follow", TX=_checked(tx_id), OFFSET=offset, WAIT_S=wait_s)


async def start(transport: Transport, tx: Transaction, *, wait_s: int = 0) -> Receipt:
    """Start ``tx`` once; where the host has it already, only report it."""
    result = await transport.run(
        start_script(tx, wait_s=wait_s), stdin=tx.script.encode(), timeout_s=wait_s + 90
    )
    _refuse_cut_off(transport.name, result)
    if result.exit != 0:
        message = printable(result.stderr)[-400:].strip() or f"exit status {result.exit}"
        raise HostError(
            HostFailure(
                host=transport.name,
                kind=FailureKind.UNSUPPORTED,
                message=f"a transaction could not be started: {message}",
                remedy="look for a full disk, or missing flock or systemd-run, on the host",
            )
        )
    return parse_receipt(result.stdout, host=transport.name, offset=0)


async def follow(
    transport: Transport,
    tx_id: str,
    *,
    offset: int = 0,
    wait_s: int = 20,
    on_output: OnOutput | None = None,
) -> Receipt:
    """One look at a transaction; the host answers when it ends, prints, or ``wait_s`` is over."""
    result = await transport.run(
        follow_script(tx_id, offset=offset, wait_s=wait_s), timeout_s=wait_s + 60
    )
    _refuse_cut_off(transport.name, result)
    receipt = parse_receipt(result.stdout, host=transport.name, offset=offset)
    if on_output and receipt.log:
        on_output(receipt.log)
    return receipt


def _refuse_cut_off(host: str, result: Result) -> None:
    """A reboot kills whoever asks, before the answer is whole; the transaction is not touched."""
    if result.exit == -1:
        raise HostError(
            HostFailure(
                host=host,
                kind=FailureKind.CONNECTION_LOST,
                message="the host ended the question before it had answered",
                remedy="See whether the host rebooted, then try again; what ran there goes on.",
            )
        )


def parse_receipt(output: bytes, *, host: str, offset: int) -> Receipt:
    """Read the host's report; raises HostError MALFORMED for anything else."""
    try:
        head, _, body = output[:_MAX_REPORT].partition(b"\n\n")
        lines = head.decode("ascii").splitlines()
        if lines[0] != "suture-receipt 1":
            raise ValueError("no receipt")
        fields = {key: value for key, _, value in (line.partition(" ") for line in lines[1:])}
        result_size, log_size = int(fields["result"]), int(fields["log"])
        exit_status = int(fields["exit"]) if fields["exit"] else None
        result = body[:result_size]
        log = body[result_size : result_size + log_size]
        if len(log) != log_size:
            raise ValueError("cut off")
        state = TransactionState(fields["state"])
        if state is TransactionState.DONE and exit_status == _BUSY and not result:
            state = TransactionState.BUSY
        return Receipt(
            id=_checked(fields["id"]),
            state=state,
            fence=int(fields["fence"]),
            exit=exit_status,
            started_at=_time(fields["started"]),
            ended_at=_time(fields["ended"]),
            boot_then=fields["boot_then"][:36],
            boot_now=fields["boot_now"][:36],
            result=printable(result),
            log=printable(log),
            offset=offset + log_size,
        )
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise HostError(
            HostFailure(
                host=host,
                kind=FailureKind.MALFORMED,
                message=f"the host's report on a transaction is unreadable ({error})",
                remedy="check /var/lib/suture on the host, and that its shell prints no banner",
            )
        ) from None


def _checked(tx_id: str) -> str:
    if not tx_id or len(tx_id) > 64 or not set(tx_id) <= set("0123456789abcdef"):
        raise ValueError("a transaction id is hexadecimal")
    return tx_id


def _time(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text), UTC) if text else None
