"""What earlier runs teach about the time that the next one needs."""

from __future__ import annotations

from suture.core.durations import REBOOT_S, STEPS_S, Durations, learn
from suture.core.evidence import Step, StepReport, Verdict
from tests.unit.core.builders import NOW, host_plan


def run(host: str, **seconds: float) -> list[StepReport]:
    """Reports by step, such as ``apply=20``; a reboot that takes time has changed the host."""
    return [
        StepReport(
            host=host,
            step=Step(name.replace("_", "-")),
            verdict=Verdict.PASS,
            started_at=NOW,
            seconds=took,
            changed_host=name != "reboot" or took > 1,
        )
        for name, took in seconds.items()
    ]


def test_without_runs_it_is_the_estimate_with_caution_and_the_way_back_takes_as_long() -> None:
    assert Durations().of(host_plan("a", estimated_s=20.0)) == (40 + STEPS_S, 40 + STEPS_S)
    rebooting = host_plan("a", estimated_s=20.0, reboot_expected=True)
    assert Durations().of(rebooting) == (40 + STEPS_S + REBOOT_S, 40 + STEPS_S + REBOOT_S)


def test_a_host_with_runs_of_its_own_speaks_for_itself_and_others_for_the_rest() -> None:
    slow = [run("slow", apply=90.0 + n, reboot=0.1, verify=5.0) for n in range(10)]
    fast = [run(f"f{n}", apply=10.0, reboot=0.1, verify=5.0) for n in range(90)]
    learned = learn([*slow, *fast])
    assert learned.of(host_plan("slow"))[0] == 104.0
    assert learned.of(host_plan("new"))[0] == 99.0
    assert learned.of(host_plan("f1"))[0] == 99.0, "one run says nothing"


def test_more_to_install_than_ever_takes_at_least_its_estimate() -> None:
    learned = learn([run("a", apply=10.0, verify=1.0)] * 5)
    assert learned.of(host_plan("a", estimated_s=500.0))[0] == 500.0


def test_reboots_and_ways_back_are_learned_apart() -> None:
    runs = [run("a", apply=10.0, reboot=100.0, verify=1.0) for _ in range(5)]
    runs += [run("b", roll_back=30.0, verify_roll_back=2.0) for _ in range(5)]
    learned = learn(runs)
    assert (learned.there_s, learned.reboot_s, learned.back_s) == (11.0, 100.0, 32.0)
    assert learned.of(host_plan("a", estimated_s=1.0)) == (11.0, 32.0)
    assert learned.of(host_plan("a", estimated_s=1.0, reboot_expected=True)) == (111.0, 132.0)


def test_the_reboot_of_a_way_back_is_a_reboot() -> None:
    runs = [run("a", roll_back=30.0, reboot_roll_back=80.0, verify_roll_back=2.0)] * 5
    learned = learn(runs)
    assert (learned.reboot_s, learned.back_s) == (80.0, 32.0)
    assert learned.of(host_plan("a", estimated_s=1.0, reboot_expected=True))[1] == 112.0


def test_runs_that_did_not_come_to_their_end_and_few_of_them_teach_nothing() -> None:
    assert learn([run("a", apply=1.0)] * 9) == Durations()
    assert learn([run("a", apply=1.0, verify=1.0)] * 4) == Durations()
