"""The runbook: everything of the plan, in its order, and none of it taken for Markdown."""

from __future__ import annotations

from msgspec.structs import replace

from suture.core.planning.plan import LeftOut, RebootRule
from suture.core.policies.approvals import ApprovalPolicy, ApprovalRule
from suture.reports.runbook import runbook
from tests.unit.core.builders import plan, wave, with_host
from tests.unit.reports.test_by_hand import HOSTILE, KERNEL, rich


def test_waves_hosts_and_steps_come_in_order() -> None:
    text = runbook(rich())
    wanted = [
        f"# Plan {rich().id}",
        "## Wave 1: ring\\-0",
        "#### a",
        "- [ ] Before: versions and health checks",
        "- [ ] The way back is on disk",
        "- [ ] The very bytes of the plan",
        "- [ ] Install",
        "- [ ] Reboot where it is asked for",
        "- [ ] After: versions and health checks",
        "Way back, where anything failed from Install on:",
        "#### b",
        "- [ ] Watch the wave for 10 minutes.",
        "## Wave 2",
        "- [ ] 1 approval(s) by anybody",
        "#### c",
        f"suture verify --plan {rich().id}",
    ]
    places = [text.index(one) for one in wanted]
    assert places == sorted(places)


def test_the_way_back_of_a_host_that_was_rebooted_ends_in_the_kernel_of_before() -> None:
    whole = plan([wave(0, ["a"])])
    rebooted = {"reboot": RebootRule.IF_NEEDED, "reboot_expected": True}
    text = runbook(with_host(whole, "a", changes=(KERNEL,), **rebooted))
    begun = text.index("Way back, where anything failed")
    noted, same = text.index(">boot_id"), text.index("before/boot_id /proc/")
    again = text.index("systemctl reboot", begun)
    kernel = text.index("uname -rv | diff")
    assert noted < begun < same < again < kernel
    assert "uname -rv | diff" not in runbook(with_host(whole, "a", **rebooted))


def test_what_has_meaning_in_markdown_has_none_here() -> None:
    out = LeftOut("x", "<b>[click](http://192.0.2.1)</b>\n# heading")
    text = runbook(replace(rich(), left_out=(out,)))
    assert "<b>" not in text
    assert "\n# heading" not in text
    for line in text.splitlines():
        if "{{ 7" in line:
            assert line.startswith("      "), "commands are indented code"
    assert HOSTILE.split()[1] in text


def test_roles_that_have_to_agree_are_boxes() -> None:
    asked = ApprovalPolicy(
        roles={"dba": ("a", "b")}, rings={"ring-1": (ApprovalRule(role="dba", count=2),)}
    )
    assert "- [ ] 2 approval(s) by dba" in runbook(replace(rich(), approvals=asked))
