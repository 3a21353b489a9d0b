from __future__ import annotations

from typing import Any

import pytest

from suture.core.controls import Control, Mask
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.inputs import Inputs, changed, in_words, inputs_of
from suture.core.planning.plan import RebootRule
from suture.core.policy import PerformancePolicy, Policy, TwinPolicy
from tests.unit.core import builders

POLICY = Policy()
MASK = Control(id="no-cron", title="t", reason="r", mask=Mask("cron.service"))


def _inputs(
    name: str = "web1",
    policy: Policy = POLICY,
    address: str = "192.0.2.1",
    scripts: str = "s",
    suites: str = "",
    **fields: Any,
) -> Inputs:
    plan = builders.host_plan(name, **fields)
    return inputs_of(plan, policy, address=address, scripts=scripts, suites=suites)


@pytest.mark.parametrize(
    ("now", "what"),
    [
        (_inputs(release="debian:13", class_id="d"), "its release"),
        (_inputs(arch="arm64", class_id="d"), "its architecture"),
        (_inputs(package_set="other", class_id="d"), "its packages"),
        (_inputs(patch_set="other", class_id="d"), "the patch set"),
        (_inputs(controls=(MASK,), class_id="d"), "the controls"),
        (_inputs(class_id="d"), "its services"),
        (_inputs(checks=()), "the health checks"),
        (_inputs(reboot=RebootRule.ALWAYS), "the rule for reboots"),
        (_inputs(policy=Policy(twin=TwinPolicy(exclude=("/srv",)))), "twin.exclude"),
        (_inputs(policy=Policy(performance=PerformancePolicy(seconds=60))), "the load"),
        (_inputs(scripts="other"), "scripts"),
        (_inputs(suites="other"), "the test suites"),
    ],
)
def test_each_input_is_named_alone_when_it_changes(now: Inputs, what: str) -> None:
    (named,) = changed(_inputs(), now)
    assert what in named


def test_what_a_rehearsal_does_not_see_changes_nothing() -> None:
    assert changed(_inputs(), _inputs(ring="broad", estimated_s=9.0, closes=())) == ()


def _http(host: str) -> HealthCheck:
    return HealthCheck(HealthCheckKind.HTTP, f"http://{host}/health")


@pytest.mark.parametrize("name", ["web", "192.0.2.1"])
def test_hosts_alike_are_asked_the_same_of_themselves(name: str) -> None:
    one = _inputs("web", checks=(_http(name),))
    other = name.replace("web", "web-2").replace("2.1", "2.11")
    assert one == _inputs("web-2", address="192.0.2.11", checks=(_http(other),))
    assert one != _inputs("web-2", address="192.0.2.11", checks=(_http("192.0.2.111"),))


def test_a_proposed_port_is_the_same_on_whatever_address() -> None:
    def listening(target: str, *, proposed: bool) -> Inputs:
        return _inputs(checks=(HealthCheck(HealthCheckKind.PORT, target, proposed=proposed),))

    assert listening("10.0.0.1:80", proposed=True) == listening("[::1]:80", proposed=True)
    assert listening("10.0.0.1:80", proposed=True) != listening("10.0.0.1:81", proposed=True)
    assert listening("10.0.0.1:80", proposed=False) != listening("10.0.0.3:80", proposed=False)


def test_names_are_joined_as_in_a_sentence() -> None:
    assert [in_words("abc"[:count]) for count in range(4)] == ["", "a", "a and b", "a, b and c"]
