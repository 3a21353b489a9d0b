import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.hosts.transaction import (
    Transaction,
    TransactionState,
    follow,
    follow_script,
    parse_receipt,
    start,
    transaction_id,
)
from suture.hosts.transport import FailureKind, HostError, Result

_HEAD = (
    b"suture-receipt 1\nid abc123\nstate %s\nfence 7\nexit %s\nstarted 1795422000\n"
    b"ended 1795422010\nboot_then aaaa\nboot_now %s\nresult %d\nlog %d\n\n"
)


def report(
    state: bytes = b"done",
    exit_status: bytes = b"0",
    boot_now: bytes = b"aaaa",
    result: bytes = b"",
    log: bytes = b"",
) -> bytes:
    return _HEAD % (state, exit_status, boot_now, len(result), len(log)) + result + log


def test_the_same_step_of_the_same_attempt_is_the_same_transaction() -> None:
    one = transaction_id("plan", "web1", "apply", 0)
    assert one == transaction_id("plan", "web1", "apply", 0)
    others = {
        transaction_id("plan2", "web1", "apply", 0),
        transaction_id("plan", "web2", "apply", 0),
        transaction_id("plan", "web1", "bundle", 0),
        transaction_id("plan", "web1", "apply", 1),
    }
    assert len(others) == 4
    assert one not in others


@given(st.text(max_size=30), st.text(max_size=30), st.integers(0, 9))
def test_an_id_is_fit_for_a_unit_name_and_a_path(plan: str, host: str, attempt: int) -> None:
    made = transaction_id(plan, host, "apply", attempt)
    assert len(made) == 20
    assert set(made) <= set("0123456789abcdef")


@pytest.mark.parametrize("bad", ["", "../x", "a b", "ABC", "a" * 65])
def test_no_other_id_reaches_a_host(bad: str) -> None:
    with pytest.raises(ValueError, match="hexadecimal"):
        follow_script(bad, offset=0, wait_s=1)


def test_a_receipt_separates_the_result_from_the_log() -> None:
    receipt = parse_receipt(report(result=b"changing\n", log=b"Setting up\n"), host="h", offset=5)
    assert receipt.succeeded
    assert receipt.result == "changing\n"
    assert receipt.log == "Setting up\n"
    assert receipt.offset == 5 + len(b"Setting up\n")
    assert not receipt.rebooted


def test_another_boot_id_is_a_reboot_since() -> None:
    receipt = parse_receipt(report(b"interrupted", b"", boot_now=b"bbbb"), host="h", offset=0)
    assert receipt.state is TransactionState.INTERRUPTED
    assert receipt.exit is None
    assert receipt.rebooted


def test_a_busy_host_did_nothing() -> None:
    assert parse_receipt(report(exit_status=b"75"), host="h", offset=0).state.value == "busy"
    ran = parse_receipt(report(exit_status=b"75", result=b"changing\n"), host="h", offset=0)
    assert ran.state is TransactionState.DONE


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"Welcome!\n\n",
        b"suture-receipt 1\nid abc\n\n",
        report(state=b"fine"),
        report(exit_status=b"zero"),
        report(log=b"cut off")[:-3],
        report().replace(b"id abc123", b"id ../../etc"),
        report().replace(b"1795422000", b"9" * 30),
    ],
)
def test_garbage_is_a_malformed_host_and_no_receipt(output: bytes) -> None:
    with pytest.raises(HostError) as caught:
        parse_receipt(output, host="h", offset=0)
    assert caught.value.failure.kind is FailureKind.MALFORMED


class _CutOff:
    """A way to a host that goes down while it answers."""

    name = "h"

    async def run(self, script: str, *, stdin: bytes = b"", timeout_s: float = 120.0) -> Result:
        return Result(exit=-1, stdout=report()[:40], stderr=b"")

    async def put(self, data: bytes, path: str, *, mode: int = 0o600) -> None:
        raise NotImplementedError

    async def get(self, path: str) -> bytes:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


async def test_a_host_that_reboots_while_it_answers_is_asked_again() -> None:
    for question in (
        start(_CutOff(), Transaction(id="abc123", fence=1, script="reboot")),
        follow(_CutOff(), "abc123"),
    ):
        with pytest.raises(HostError) as caught:
            await question
        assert caught.value.failure.kind is FailureKind.CONNECTION_LOST
