"""What a reader of the plan is told to expect."""

from dataclasses import dataclass
from typing import Any

import pytest

from suture.core.inventory import HealthCheck, HealthCheckKind, Inventory, Kernel, Listener, Service
from suture.core.planning.expectations import (
    Checks,
    class_id,
    expected_restarts,
    expects_reboot,
    proposed_checks,
)
from suture.core.planning.plan import RebootRule
from suture.core.policy import CheckPolicy, HostCheckPolicy, Policy, ServicePolicy
from tests.unit.core.builders import change, host, inventory, package

UNIT, PORT = HealthCheckKind.UNIT, HealthCheckKind.PORT


def of(seen: Inventory, patch_set: str = "p") -> str:
    return class_id(seen, seen.packages.digest, patch_set)


def test_hosts_alike_are_one_class() -> None:
    running = (Service("nginx.service", "active", "running", "enabled"),)
    one = inventory("a", services=running)
    assert of(one) == of(inventory("b", services=running))
    others = [
        inventory("c"),
        inventory("c", [package(version="2")], services=running),
        inventory("c", arch="arm64", services=running),
        inventory("c", services=running, listeners=(Listener("tcp", "::", 1, unit="x.service"),)),
    ]
    assert of(one) not in {of(other) for other in others}
    assert of(one) != of(one, "another patch set")


def test_units_that_come_and_go_do_not_make_a_class() -> None:
    passing = (
        Service("apt-daily.service", "active", "running", "static"),
        Service("user@0.service", "active", "running", "static"),
    )
    assert of(inventory("a", services=passing)) == of(inventory("a"))


@pytest.mark.parametrize(
    ("unit", "package_name", "source"),
    [
        ("nginx.service", "nginx-common", "nginx"),
        ("ssh.service", "openssh-server", "openssh"),
        ("postgresql@15-main.service", "postgresql-15", "postgresql-15"),
        ("php8.2-fpm.service", "php8.2-common", "php8.2"),
        ("systemd-journald.service", "libsystemd0", "systemd"),
    ],
)
def test_a_unit_that_runs_a_changed_package_is_expected_to_restart(
    unit: str, package_name: str, source: str
) -> None:
    seen = inventory("a", services=(Service(unit, "active", "running"),))
    assert expected_restarts(seen, [change(package_name, source=source)]) == (unit,)


def test_other_units_and_inactive_ones_are_not() -> None:
    units = (
        Service("nginx.service", "inactive", "dead"),
        Service("cron.service", "active", "running"),
    )
    assert expected_restarts(inventory("a", services=units), [change("nginx")]) == ()


@dataclass
class Reboot:
    package: str
    rule: RebootRule = RebootRule.IF_NEEDED
    container: bool = False
    required: bool = False
    expected: bool = True


@pytest.mark.parametrize(
    "case",
    [
        Reboot("linux-image-6.1.0-40-amd64"),
        Reboot("libc6"),
        Reboot("nginx", expected=False),
        Reboot("libc6", container=True, expected=False),
        Reboot("nginx", required=True),
        Reboot("libc6", rule=RebootRule.NEVER, expected=False),
        Reboot("nginx", rule=RebootRule.ALWAYS, container=True),
    ],
)
def test_reboots(case: Reboot) -> None:
    kernel = Kernel("6.1.0-1-amd64", container=case.container)
    seen = inventory("a", kernel=kernel, reboot_required=case.required)
    assert expects_reboot(seen, [change(case.package)], case.rule) is case.expected


def listener(port: int, address: str = "0.0.0.0", **fields: Any) -> Listener:
    return Listener(fields.pop("protocol", "tcp"), address, port, **fields)


def test_what_listens_is_proposed_to_go_on_listening() -> None:
    listeners = [
        listener(80, unit="nginx.service"),
        listener(80, "::", unit="nginx.service"),
        listener(22, "127.0.0.11", unit="ssh.service"),
        listener(22, "2001:db8::1", unit="ssh.service"),
    ]
    assert proposed_checks(listeners) == [
        HealthCheck(UNIT, "nginx.service", proposed=True),
        HealthCheck(PORT, "127.0.0.1:80", proposed=True),
        HealthCheck(PORT, "[::1]:80", proposed=True),
        HealthCheck(UNIT, "ssh.service", proposed=True),
        HealthCheck(PORT, "127.0.0.11:22", proposed=True),
        HealthCheck(PORT, "[2001:db8::1]:22", proposed=True),
    ]


def test_what_does_not_last_is_not_proposed() -> None:
    listeners = [
        listener(6010, unit="session-3.scope"),
        listener(9, unit=""),
        listener(40001, unit="rpc-statd.service"),
        listener(111, protocol="udp", unit="rpc-statd.service"),
        listener(546, "fe80::1%eth0", unit="rpc-statd.service"),
    ]
    assert proposed_checks(listeners) == [HealthCheck(UNIT, "rpc-statd.service", proposed=True)]


def test_a_flood_of_listeners_is_bounded() -> None:
    assert len(proposed_checks([listener(n, unit=f"u{n}.service") for n in range(1, 500)])) == 32


def test_checks_of_host_policy_and_service_come_before_proposals() -> None:
    own = HealthCheck(UNIT, "nginx.service", timeout_s=3.0)
    policy = Policy(
        checks=(
            HostCheckPolicy(on="prod", kind=PORT, target="127.0.0.1:80"),
            HostCheckPolicy(on="other", kind=PORT, target="127.0.0.1:81"),
        ),
        services={"web": ServicePolicy(checks=(CheckPolicy(kind=UNIT, target="app.service"),))},
    )
    web = host("a", labels=("prod",), service="web", checks=(own,))
    seen = inventory("a", listeners=(listener(80, unit="nginx.service"),))
    assert [(c.target, c.proposed) for c in Checks(policy).of(web, seen)] == [
        ("nginx.service", False),
        ("127.0.0.1:80", False),
        ("app.service", False),
    ]
    assert Checks(Policy(propose_checks=False)).of(host("b"), seen) == ()
