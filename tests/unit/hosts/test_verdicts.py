"""What answers of hosts mean: recorded lines in, checks and outcomes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from suture.core.documents import digest
from suture.core.evidence import Check, Verdict
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import HostPlan, RebootRule
from suture.core.selection.ledger import Action, Change, Ledger
from suture.hosts.health import health_functions, judge_health
from suture.hosts.preflight import judge_preflight
from suture.hosts.results import parse_results
from suture.hosts.services import left_running
from suture.hosts.session import PatchSettings
from suture.hosts.steps import UnfitPlanError, plan_table, settle
from suture.hosts.transaction import Receipt, TransactionState
from suture.hosts.verification import judge_rollback, judge_verification

_NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def change(**fields: Any) -> Change:
    known: dict[str, Any] = {
        "package": "nginx",
        "arch": "amd64",
        "before": "1.22.1-9+deb12u9",
        "after": "1.22.1-9+deb12u11",
        "source": "nginx",
        "source_version": "1.22.1-9+deb12u11",
        "filename": "pool/nginx.deb",
        "size": 529000,
        "sha256": "ab" * 32,
        "origin": "",
    }
    return Change(**(known | fields))


def plan(*changes: Change, checks: tuple[HealthCheck, ...] = ()) -> HostPlan:
    return HostPlan(
        host="web1",
        release="debian:12",
        arch="amd64",
        package_set="",
        class_id="",
        patch_set=digest(changes),
        changes=changes,
        ledger=Ledger(0, ()),
        closes=(),
        ring="",
        service=None,
        checks=checks,
        restarts=(),
        reboot=RebootRule.NEVER,
        reboot_expected=False,
        download_bytes=0,
        estimated_s=0,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"package": "nginx; reboot"},
        {"package": "-o"},
        {"arch": "$(id)"},
        {"after": "1 2"},
        {"before": "1\n2"},
        {"sha256": "AB" * 32},
        {"size": 0},
    ],
)
def test_a_plan_with_what_no_package_has_reaches_no_shell(fields: dict[str, Any]) -> None:
    with pytest.raises(UnfitPlanError, match="scan and plan again"):
        plan_table([change(**fields)])


def test_a_plan_without_changes_is_no_plan_for_a_host() -> None:
    with pytest.raises(UnfitPlanError, match="changes nothing"):
        plan_table([])


def test_the_plan_is_one_line_a_package() -> None:
    new = change(package="libnew", before=None, action=Action.INSTALL)
    assert plan_table([change(), new]).splitlines() == [
        f"nginx amd64 1.22.1-9+deb12u9 1.22.1-9+deb12u11 {'ab' * 32} 529000 upgrade",
        f"libnew amd64 - 1.22.1-9+deb12u11 {'ab' * 32} 529000 install",
    ]


PREFLIGHT = """\
clock\t1795420800.5
check\tlocks\tpass\tnobody else is at work
installed\tnginx:amd64\t1.22.1-9+deb12u9\tinstalled ok
size\tnginx\t1300\t1290
disk\t/\t/\t9000000
disk\t/usr\t/\t9000000
disk\t/var/lib/suture\t/var\t500000
configuration\t2000
simulated\tInst nginx [1.22.1-9+deb12u9] (1.22.1-9+deb12u11 local-deb [amd64]) []
end
"""


def judged(
    text: str, one: HostPlan | None = None, kept_mib: dict[str, int] | None = None
) -> dict[str, tuple[Verdict, str]]:
    checks = judge_preflight(
        one or plan(change()),
        parse_results(text),
        _NOW,
        _NOW + timedelta(seconds=2),
        PatchSettings(min_free_mib=tuple((kept_mib or {}).items())),
    )
    return {check.name: (check.verdict, check.detail) for check in checks}


def test_a_host_as_the_plan_assumed_passes_every_check() -> None:
    assert {verdict for verdict, _ in judged(PREFLIGHT).values()} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("line", "instead", "check", "words"),
    [
        ("clock\t1795420800.5", "clock\t1795424400.5", "clock", "set the host's clock"),
        ("clock\t1795420800.5\n", "", "clock", "did not tell"),
        ("deb12u9\tinstalled ok", "deb12u10\tinstalled ok", "assumed versions", "deb12u10"),
        ("installed ok", "half-configured ok", "assumed versions", "half-configured"),
        (
            "disk\t/var/lib/suture\t/var\t500000",
            "disk\t/var/lib/suture\t/var\t50",
            "disk space",
            "/var",
        ),
        ("end", "simulated\tRemv exim4 [4.96]\nend", "closure", "Remv exim4"),
        (
            "end",
            "simulated\tInst libfoo (1.0 local-deb [amd64])\nend",
            "closure",
            "would also install libfoo 1.0",
        ),
        ("simulated\tInst nginx", "simulated\tInst other", "closure", "would not install nginx"),
        ("end", "missing\tnginx\nend", "package files", "acquire"),
    ],
)
def test_what_differs_from_the_plan_is_named(
    line: str, instead: str, check: str, words: str
) -> None:
    assert line in PREFLIGHT
    verdict, detail = judged(PREFLIGHT.replace(line, instead))[check]
    assert verdict is not Verdict.PASS
    assert words in detail


@pytest.mark.parametrize(
    ("kept_mib", "short"),
    [
        ({"/": 8000, "/boot": 30, "/var": 400}, ""),
        ({"/": 9000}, "/ has 8789 MiB free"),
        ({"/boot": 40}, "/boot has 39 MiB free; the patches need 0 MiB, and 40 MiB"),
        ({"/var": 488}, "/var has 488 MiB free; the patches need 67 MiB, and 488 MiB"),
        ({"/srv": 9000}, ""),
    ],
)
def test_what_the_policy_keeps_free_stays_free_on_each_file_system(
    kept_mib: dict[str, int], short: str
) -> None:
    text = PREFLIGHT.replace("end\n", "disk\t/boot\t/boot\t40000\ndisk\t/var\t/var\t500000\nend\n")
    verdict, detail = judged(text, kept_mib=kept_mib)["disk space"]
    assert verdict is (Verdict.FAIL if short else Verdict.PASS), detail
    assert short in detail


def test_paths_on_one_file_system_share_what_stays_free() -> None:
    text = PREFLIGHT.replace("end\n", "disk\t/boot\t/\t9000000\nend\n")
    verdict, _ = judged(text, kept_mib={"/": 8000, "/boot": 8000})["disk space"]
    assert verdict is Verdict.PASS


VERIFIED = """\
check\tpackage database\tpass\t
package\t-\tnginx:amd64\t1.22.1-9+deb12u9\tinstalled ok
package\t+\tnginx:amd64\t1.22.1-9+deb12u11\tinstalled ok
logged\tnginx:amd64\t1.22.1-9+deb12u11
end
"""


def test_a_patch_that_took_passes() -> None:
    outcome = judge_verification(plan(change()), parse_results(VERIFIED))
    assert outcome.verdict is Verdict.PASS
    assert outcome.changed_host


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("package\t+\tvim:amd64\t9.0\tinstalled ok", "vim:amd64 is 9.0"),
        ("package\t-\texim4:all\t4.96\tinstalled ok", "exim4:all 4.96 was removed"),
        ("package\t+\tnginx:amd64\t1.22.1-9+deb12u11\tunpacked ok", "unpacked"),
        ("altered\t??5?????? /usr/sbin/nginx", "/usr/sbin/nginx"),
        ("apt-error\tError: Sub-process", "Sub-process"),
        ("failed-unit\tnginx.service\tnginx", "nginx.service"),
    ],
)
def test_what_a_patch_did_beyond_the_plan_fails(line: str, words: str) -> None:
    outcome = judge_verification(plan(change()), parse_results(f"{line}\n{VERIFIED}"))
    assert outcome.verdict is Verdict.FAIL
    assert words in outcome.reason


def test_a_failing_unit_suspects_the_source_of_its_package() -> None:
    text = f"failed-unit\tnginx.service\tnginx-common\n{VERIFIED}"
    common = change(package="nginx-common", arch="all")
    outcome = judge_verification(plan(change(), common), parse_results(text))
    assert outcome.suspects == ("nginx",)


def test_replaced_code_that_still_runs_is_said_without_blaming_the_patch() -> None:
    text = f"stale\t30\tdbus.service\t/usr/lib/libexpat.so.1\n{VERIFIED}"
    outcome = judge_verification(plan(change()), parse_results(text))
    assert outcome.verdict is Verdict.PASS
    assert left_running(parse_results(text)) in outcome.checks
    assert left_running(parse_results(text)).verdict is Verdict.INCONCLUSIVE
    assert "replaced code still runs in 1 process of dbus.service (/usr/" in outcome.reason


def test_a_way_back_is_proved_though_memory_still_has_the_patch_and_says_so() -> None:
    text = "".join(
        f"stale\t{pid}\t{unit}\t/usr/lib/libexpat.so.1\t{when}\n"
        for pid, unit, when in (
            (30, "dbus.service", "since"),
            (31, "dbus.service", "since"),
            (32, "getty@tty1.service", "before"),
        )
    )
    outcome = judge_rollback(plan(change()), parse_results(f"{text}end\n"))
    assert outcome.verdict is Verdict.PASS
    assert outcome.reason == (
        "running code: the version that was taken back still runs in 2 processes of dbus.service "
        "(/usr/lib/libexpat.so.1), until they are restarted or the host is rebooted"
    )
    assert Verdict.INCONCLUSIVE in {check.verdict for check in outcome.checks}


def test_what_ran_before_the_patch_has_nothing_of_it_in_memory() -> None:
    text = "stale\t30\tdbus.service\t/usr/lib/libexpat.so.1\tbefore\nend\n"
    outcome = judge_rollback(plan(change()), parse_results(text))
    assert (outcome.verdict, outcome.reason) == (Verdict.PASS, "")
    assert "that of before still runs in 1 process of dbus.service" in outcome.checks[-1].detail


def test_a_way_back_is_exact_or_it_failed() -> None:
    assert judge_rollback(plan(change()), parse_results("end\n")).verdict is Verdict.PASS
    for line in ("package\t+\tx:all\t1\tinstalled ok", "config\trestore\t/etc/x", "mark\thold\tx"):
        outcome = judge_rollback(plan(change()), parse_results(f"{line}\nend\n"))
        assert outcome.verdict is Verdict.FAIL, line


def test_what_somebody_else_configured_is_no_failure_but_a_conflict_waits() -> None:
    kept = judge_rollback(plan(change()), parse_results("config\tkept\t/etc/resolv.conf\nend\n"))
    assert kept.verdict is Verdict.PASS
    both = judge_rollback(plan(change()), parse_results("config\tconflict\t/etc/x\nend\n"))
    assert both.verdict is Verdict.INCONCLUSIVE


_UNIT = HealthCheck(HealthCheckKind.UNIT, "nginx.service")


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("ok", "ok", Verdict.PASS),
        ("fail", "ok", Verdict.PASS),
        ("ok", "fail", Verdict.FAIL),
        ("unknown", "fail", Verdict.FAIL),
        ("fail", "fail", Verdict.INCONCLUSIVE),
        ("ok", "unknown", Verdict.INCONCLUSIVE),
    ],
)
def test_health_is_compared_with_before(before: str, after: str, verdict: Verdict) -> None:
    text = f"health-before\t0\t{before}\tx\nhealth\t0\t{after}\ty\n"
    assert [c.verdict for c in judge_health((_UNIT,), parse_results(text))] == [verdict]


def test_a_check_without_an_answer_is_no_pass() -> None:
    (check,) = judge_health((_UNIT,), parse_results(""))
    assert check.verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(
    ("target", "pattern"),
    [
        ("127.0.0.1:80", "'0100007F|00000000|00000000000000000000000000000000' 0050"),
        ("0.0.0.0:22", "'.*' 0016"),
        ("[::1]:8080", "'00000000000000000000000001000000|"),
    ],
)
def test_ports_are_looked_up_as_the_kernel_writes_them(target: str, pattern: str) -> None:
    assert pattern in health_functions([HealthCheck(HealthCheckKind.PORT, target)])


@pytest.mark.parametrize("target", ["http", "host:80", "1.2.3.4:0", "1.2.3.4:x", "1.2.3.4:99999"])
def test_a_port_check_that_means_nothing_is_refused(target: str) -> None:
    with pytest.raises(UnfitPlanError, match="correct the check"):
        health_functions([HealthCheck(HealthCheckKind.PORT, target)])


def receipt(state: TransactionState, result: str = "", **fields: Any) -> Receipt:
    made = Receipt(
        id="ab",
        state=state,
        fence=9,
        exit=None,
        started_at=None,
        ended_at=None,
        boot_then="a",
        boot_now="a",
        result=result,
    )
    return msgspec.structs.replace(made, **fields)


@pytest.mark.parametrize(
    ("made", "changed", "words"),
    [
        (receipt(TransactionState.REFUSED), False, "its fence is 9"),
        (receipt(TransactionState.BUSY), False, "another transaction"),
        (receipt(TransactionState.INTERRUPTED), False, "death of its process"),
        (receipt(TransactionState.INTERRUPTED, "changing\n"), True, "roll the host back"),
        (receipt(TransactionState.INTERRUPTED, boot_now="b"), True, "a reboot"),
        (receipt(TransactionState.DONE, "reason\tno room\n", exit=1), False, "no room"),
        (receipt(TransactionState.DONE, "changing\nunchanged\n", exit=1), False, "status 1"),
        (receipt(TransactionState.DONE, "changing\n", exit=1), True, "status 1"),
    ],
)
def test_a_transaction_that_did_not_end_well_tells_whether_it_changed_the_host(
    made: Receipt, changed: bool, words: str
) -> None:
    _, outcome = settle(made)
    assert outcome is not None
    assert outcome.verdict is Verdict.FAIL
    assert outcome.changed_host is changed
    assert words in outcome.reason


def test_results_are_bounded_and_printable() -> None:
    results = parse_results("check\tname\tmaybe\t\x1b[31m" + "x" * 5000 + "\n")
    (check,) = results.checks
    assert check.verdict is Verdict.INCONCLUSIVE
    assert "\x1b" not in check.detail
    assert len(check.detail) <= 1000
    assert isinstance(check, Check)
