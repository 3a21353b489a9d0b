"""What a control may say, where it applies, and what it does to plans."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from suture.core.controls import Condition, Control, Module, Sysctl, fault, parse
from suture.core.documents import decode, digest, encode
from suture.core.inventory import HealthCheck, HealthCheckKind, Listener, PackageState
from suture.core.planning.expectations import class_id
from suture.core.planning.lint import lint
from suture.core.planning.plan import Plan, diff
from suture.core.planning.planner import make_plan
from suture.core.policy import Policy
from suture.core.yaml_reading import DocumentError
from tests.unit.core.builders import (
    NOW,
    change,
    host,
    host_plan,
    inventory,
    nothing_selected,
    package,
    plan,
    selection,
    wave,
    with_host,
)

HEAD = "id: one\ntitle: A title\nreason: until the patch\n"
BPF = Control(
    id="bpf",
    title="No BPF for users",
    reason="until the patch",
    cves=("CVE-2026-0007",),
    sysctl=Sysctl("kernel.unprivileged_bpf_disabled", "2"),
)
RPC = """
id: no-rpcbind
title: The portmapper does not run
reason: nothing here uses NFS
cves: [CVE-2026-0001, CVE-2026-0002]
when: {releases: ["debian:*"], packages: [rpcbind], hosts: [web-*, production]}
mask: {unit: rpcbind.service}
"""
SETTING = "setting: {file: /etc/ssh/sshd_config, key: LoginGraceTime, value: '0', format: sshd}"


def read(text: str) -> Control:
    return parse(text, name="one.yaml")


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("sysctl: {key: kernel.core_pattern, value: '|/bin/false'}", "kernel.core_pattern = |/bin"),
        ("sysctl: {key: net.ipv4.tcp_rmem, value: 4096 131072 6291456}", "4096 131072 6291456"),
        ("module: {name: algif_aead}", "module algif_aead is blocked"),
        ("mask: {unit: cups-browsed.service}", "cups-browsed.service is masked"),
        (SETTING, "/etc/ssh/sshd_config: LoginGraceTime = 0"),
        (
            "setting: {file: /etc/x.ini, section: a b, key: c d, value: e, format: ini}",
            "/etc/x.ini [a b]: c d = e",
        ),
    ],
)
def test_a_control_says_what_it_makes_of_a_host(text: str, summary: str) -> None:
    control = read(HEAD + text)
    assert summary in control.summary
    assert fault(control) == ""
    assert decode(encode(control), Control) == control


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "one of sysctl, module, mask and setting"),
        ("module: {name: a}\nmask: {unit: a.service}", "one of sysctl"),
        ("module: {name: 'a; reboot'}", "name of a kernel module"),
        ("module: {name: -r}", "name of a kernel module"),
        ("sysctl: {key: kernel/../x, value: '1'}", "a sysctl such as"),
        ("sysctl: {key: kernel..x, value: '1'}", "a sysctl such as"),
        ("sysctl: {key: kernel.x, value: 1}", "in quotes"),
        ('sysctl: {key: kernel.x, value: "1\\n2"}', "in quotes"),
        ("sysctl: {key: kernel.modules_disabled, value: '1'}", "until the next boot"),
        ("mask: {unit: ssh.service}", "the way to the host"),
        ("mask: {unit: -x.service}", "a systemd unit"),
        ("mask: {unit: multi-user.target}", "a systemd unit"),
        (SETTING.replace("/etc/ssh/", "etc/"), "path from /"),
        (SETTING.replace("/etc/ssh/", "/etc/../"), "path from /"),
        (SETTING.replace("/etc/ssh/", "/etc/a b/"), "path from /"),
        (SETTING.replace("LoginGraceTime", "AllowUsers"), "several times"),
        (SETTING.replace("LoginGraceTime", "Login Grace"), "several words"),
        (SETTING.replace("'0'", "'0\\'"), "a value in quotes"),
        (SETTING.replace("'0'", "' 0'"), "a value in quotes"),
        (SETTING.replace("format", "section: a, format"), "only the format `ini` has sections"),
        ("cves: [CVE-2026-1; id]\nmodule: {name: a}", "a CVE such as"),
        ("module: {nmae: a}", "did you mean `name`?"),
    ],
)
def test_what_a_control_may_not_say(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read(HEAD + text)
    assert problem in str(refused.value)
    assert str(refused.value).startswith("one.yaml:")


@given(st.text(max_size=12))
def test_no_value_of_a_sysctl_holds_what_a_drop_in_could_misread(value: str) -> None:
    control = replace(BPF, sysctl=Sysctl("kernel.x", value))
    if fault(control) == "":
        assert value == " ".join(value.split())
        assert value.isascii()
        assert not set(value) & set("#;\n\\'\"")


@pytest.mark.parametrize(
    ("name", "fields", "applies"),
    [
        ("web-1", {}, True),
        ("db", {}, False),
        ("db", {"labels": ("production",)}, True),
        ("db", {"service": "web-tier"}, True),
    ],
)
def test_a_condition_means_hosts_by_name_label_and_service(
    name: str, fields: dict[str, Any], applies: bool
) -> None:
    seen = inventory(name, [package("rpcbind")])
    assert read(RPC).applies(host(name, **fields), seen) is applies


def test_a_condition_wants_all_that_it_names() -> None:
    control, where = read(RPC), host("web-1")
    gone = package("rpcbind", state=PackageState.RESIDUAL)
    assert not control.applies(where, inventory("web-1"))
    assert not control.applies(where, inventory("web-1", [gone]))
    ubuntu = replace(control, when=Condition(releases=("ubuntu:*",)))
    assert not ubuntu.applies(where, inventory("web-1"))
    assert BPF.applies(where, inventory("web-1"))


def planned(*controls: Control, changes: bool = True, **fields: Any) -> Plan:
    return make_plan(
        hosts=[host("web-1"), host("db")],
        inventories={
            "web-1": inventory("web-1", [package("rpcbind"), package()], **fields),
            "db": inventory("db"),
        },
        selections={
            name: selection(change()) if changes else nothing_selected() for name in ("web-1", "db")
        },
        findings={},
        policy=Policy(),
        now=NOW,
        controls=controls,
    )


def test_each_host_gets_the_controls_that_mean_it() -> None:
    control = read(RPC)
    made = planned(control)
    assert made.host("web-1").controls == (control,)
    assert made.host("web-1").mitigates == ("CVE-2026-0001", "CVE-2026-0002")
    assert made.host("db").controls == ()
    assert {problem.code for problem in lint(made)} == {"no-checks"}


def test_a_plan_may_consist_of_controls_alone() -> None:
    made = planned(read(RPC), changes=False)
    assert [one.host for one in made.hosts] == ["web-1"]
    assert made.hosts[0].changes == ()
    assert not made.hosts[0].reboot_expected
    assert "nothing to do" in made.left_out[0].reason
    assert [one.code for one in lint(made)] == ["no-checks"]


def test_what_a_control_masks_is_not_proposed_to_be_checked() -> None:
    listeners = (
        Listener("tcp", "0.0.0.0", 111, "rpcbind", "rpcbind.service"),
        Listener("tcp", "0.0.0.0", 80, "nginx", "nginx.service"),
    )
    before = planned(listeners=listeners).host("web-1")
    after = planned(read(RPC), listeners=listeners).host("web-1")
    assert {check.target for check in before.checks} - {check.target for check in after.checks} == {
        "rpcbind.service",
        "127.0.0.1:111",
    }


def test_a_plan_without_controls_is_the_document_that_it_was() -> None:
    one = host_plan("a")
    assert b"controls" not in encode(one)
    assert b'"jump":null' in encode(one)
    assert digest(one) == "7f41174f9fd60c01f5aa9eb4bdd5bf62d53aedbac8d51834bf5568d409c1279f"
    assert plan([wave(0, ["a"])]).id == "571bb4c2bdb0"
    assert class_id(inventory("a"), "p", "q") == "f1d7375d8511"


def test_controls_make_another_class_and_another_plan() -> None:
    seen = inventory("a")
    assert class_id(seen, "p", "q", [BPF]) != class_id(seen, "p", "q")
    good = plan([wave(0, ["a"])])
    assert with_host(good, "a", controls=(BPF,)).id != good.id
    assert decode(encode(with_host(good, "a", controls=(BPF,))), Plan).host("a").controls == (BPF,)


def test_a_diff_names_controls_that_came_went_and_changed() -> None:
    good = plan([wave(0, ["a"])])
    harder = replace(BPF, sysctl=Sysctl("kernel.unprivileged_bpf_disabled", "0"))
    (one,) = diff(good, with_host(good, "a", controls=(BPF,))).hosts_changed
    assert (one.controls_added, one.controls_dropped) == (("bpf",), ())
    old, new = (with_host(good, "a", controls=(it,)) for it in (BPF, harder))
    (one,) = diff(old, new).hosts_changed
    assert (one.controls_added, one.controls_dropped) == (("bpf",), ("bpf",))


@pytest.mark.parametrize(
    ("code", "controls", "checks"),
    [
        ("bad-control", (replace(BPF, id="../x"),), ()),
        ("bad-control", (replace(BPF, sysctl=None, module=Module("a b")),), ()),
        ("control-conflict", (BPF, BPF), ()),
        ("control-conflict", (BPF, replace(BPF, id="other")), ()),
        ("masked-check", (read(RPC),), (HealthCheck(HealthCheckKind.UNIT, "rpcbind.service"),)),
    ],
)
def test_lint_finds_controls_that_cannot_be(
    code: str, controls: tuple[Control, ...], checks: tuple[HealthCheck, ...]
) -> None:
    good = plan([wave(0, ["a"])])
    broken = with_host(good, "a", controls=controls, checks=(*good.hosts[0].checks, *checks))
    assert {problem.code for problem in lint(broken)} == {code}
