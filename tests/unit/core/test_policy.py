"""Policies as people write them, and as they get them wrong."""

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.gates import Alerts, Canary, Gate, Query, Source
from suture.core.planning.hooks import Hook, HookPhase, Place
from suture.core.planning.plan import RebootRule
from suture.core.policy import EXAMPLE, Policy, PolicyError, matches, parse
from suture.core.words import seconds, share_of
from tests.unit.core.builders import host


def test_the_example_says_the_defaults() -> None:
    assert parse(EXAMPLE, name="policy.yaml") == Policy() == parse("", name="policy.yaml")


def test_gates_are_read() -> None:
    policy = parse(
        """\
gates:
  canary: prometheus
  prometheus: http://127.0.0.1:9090/
  queries: [{name: errors, query: 'rate(errors[1m])', floor: 0.5}]
  alerts: {alertmanager: http://127.0.0.1:9093, matchers: ['severity="critical"']}
""",
        name="p",
    )
    query = Query(name="errors", query="rate(errors[1m])", floor=0.5)
    assert policy.gates.gate == Gate(
        30.0,
        Canary(
            Source.PROMETHEUS,
            0.25,
            address="http://127.0.0.1:9090",
            label="instance",
            queries=(query,),
        ),
        Alerts("http://127.0.0.1:9093", ('severity="critical"',)),
    )
    assert Policy().gates.gate is None


def test_a_policy_survives_both_of_its_forms() -> None:
    policy = parse(
        "rings: [{name: all, soak: 1h}]\nservices: {web: {max_out: 2}}\n"
        "freezes: [{name: f, days: [2026-12-24]}]\n"
        'windows: [{name: w, rule: FREQ=DAILY, start: "22:00", duration: 1h, since: 2026-01-01}]',
        name="p",
    )
    assert msgspec.json.decode(msgspec.json.encode(policy), type=Policy) == policy
    assert parse(msgspec.yaml.encode(policy).decode(), name="p") == policy


@pytest.mark.parametrize("target", ["443", "*:443", "0.0.0.0:443", "[::1]:443", "fe80::1%eth0:22"])
def test_a_port_is_checked_on_an_address_or_on_any(target: str) -> None:
    policy = parse(f"checks: [{{on: web, kind: port, target: '{target}'}}]", name="p")
    assert policy.checks[0].target == target


def test_every_part_is_read() -> None:
    policy = parse(
        """\
select: {security_only: false, exclude: [linux-*]}
rings:
  - {name: first, hosts: [web-1, staging], soak: 2h, max_failures: 1}
  - {name: rest, approval: yes, parallel: 3}
services:
  shop:
    max_out: 25%
    checks: [{kind: http, target: "http://127.0.0.1/", status: 204, timeout: 3s}]
checks:
  - {on: db-*, kind: command, target: pg_isready -q}
windows: [{name: w, hosts: [db], rule: FREQ=DAILY, start: "22:00", duration: 2h, zone: Asia/Tokyo}]
freezes: [{name: f, begins: 2026-12-20, ends: 2027-01-03, days: [2026-10-31]}]
hooks:
  - {on: web-*, when: drain, command: lb drain, timeout: 5s, environment: /etc/suture/lb.env}
  - {on: web-*, when: undrain, command: lb enable, run: host}
emergency: {enabled: true, through_freezes: true}
reboot: never
preflight: {min_free_mb: {/opt: 5}}
""",
        name="policy.yaml",
    )
    assert policy.select.exclude == ("linux-*",)
    assert policy.rings[0].hosts == ("web-1", "staging")
    assert (policy.rings[1].approval, policy.rings[1].takes_rest) == (True, True)
    assert policy.service("shop").checks[0].check == HealthCheck(
        HealthCheckKind.HTTP, "http://127.0.0.1/", status=204, timeout_s=3.0
    )
    assert policy.service("other").max_out == 1
    assert policy.checks[0].on == "db-*"
    assert (policy.windows[0].hosts, policy.windows[0].zone) == (("db",), "Asia/Tokyo")
    assert policy.freezes[0].ends == date(2027, 1, 3)
    assert policy.freezes[0].days == (date(2026, 10, 31),)
    assert [one.hook for one in policy.hooks] == [
        Hook(HookPhase.DRAIN, Place.CONTROLLER, "lb drain", 5.0, "/etc/suture/lb.env"),
        Hook(HookPhase.UNDRAIN, Place.HOST, "lb enable", 60.0),
    ]
    assert policy.emergency.through_freezes
    assert policy.reboot is RebootRule.NEVER
    assert policy.preflight.min_free_mb == {"/opt": 5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "hooks:\n- {on: web, when: drain, command: x}",
            "p:1: hooks: `web` has one of drain and undrain; add the other",
        ),
        (
            "hooks:\n- {on: web, when: after, command: x, run: host, environment: /etc/x}",
            "p:2: hooks[0]: environment is a file on the controller",
        ),
        ("gates: {canary: prometheus}", "p:1: gates: canary: prometheus needs an address"),
        ("gates: {alerts: {}}", "p:1: gates.alerts: alerts need either alertmanager or"),
        (
            "gates: {alerts: {prometheus: 'http://a'}}",
            "p:1: gates.alerts: prometheus and query belong together",
        ),
        (
            "gates: {alerts: {alertmanager: 'http://me:secret@a'}}",
            "p:1: gates.alerts.alertmanager: expected an address that begins with http://",
        ),
        ("gates: {every: 0s}", "p:1: gates: every has to be at least 1s"),
        ("reboot_budget: 0s", "p:1: reboot_budget: expected a duration of at least 1s"),
        ("rings: [{name: a, reboot_budget: 00m}]", "expected a duration of at least 1s"),
        ("catch_up: {every: 0h}", "expected a duration of at least 1s"),
        (
            "checks: [{on: web, kind: unit, target: nginx, timeout: 0s}]",
            "timeout: expected a duration of at least 1s",
        ),
        (
            "hooks: [{on: web, when: before, command: date, timeout: 0s}]",
            "timeout: expected a duration of at least 1s",
        ),
        (
            "backup: {dumps: [{on: db, name: all, command: date, timeout: 0s}]}",
            "timeout: expected a duration of at least 1s",
        ),
        (
            "backup: {snapshot_hooks: [{on: db, command: date, timeout: 0s}]}",
            "timeout: expected a duration of at least 1s",
        ),
        ("predownload: 30s", "predownload has to be from 1m to 7d; leave it out"),
        ("predownload: 8d", "predownload has to be from 1m to 7d; leave it out"),
        (
            "rings:\n  - name: a\n    shar: 3",
            "p:3: rings[0]: unknown key `shar`; did you mean `share`",
        ),
        ("\nzzz: 1", "p:2: unknown key `zzz`; known keys are select, rings"),
        ("rings:\n- name: a\n  share: 0", "p:3: rings[0].share: expected a count of hosts"),
        ("rings:\n- name: a\n  share: 101%", "p:3: rings[0].share: expected a count of hosts"),
        ("rings:\n- name: a\n  soak: 10", "p:3: rings[0].soak: expected a duration such as 30s"),
        (
            'rings:\n- name: a\n  soak: "10m\\n"',
            "p:3: rings[0].soak: expected a duration such as 30s",
        ),
        ("rings:\n- soak: 10m", "p:2: rings[0]: `name` is missing; add it"),
        ("rings:\n- name: a b", "p:2: rings[0].name: expected a name"),
        ("rings: []", "there is no ring"),
        ("rings: [{name: a}, {name: a, share: 1}]", "two rings are called `a`"),
        ("rings: [{name: a}, {name: b}]", "`a` and `b` would both take the rest"),
        ("rings:\n- {name: a, hosts: [x], share: 1}", "p:2: rings[0]: ring `a` has both"),
        ("reboot: maybe", "p:1: reboot: expected one of never, if-needed, always, found `maybe`"),
        ("propose_checks: 1", "p:1: propose_checks: expected true or false, found `1`"),
        ("services:\n  web:\n    max_out: none", "p:3: services.web.max_out: expected a count"),
        ("services:\n  web: {}\n  web: {}", "p:3: services: `web` is there twice, first in line 2"),
        ("checks: [{on: a, kind: ping, target: b}]", "checks[0].kind: expected one of unit, port"),
        ("twin:\n  exclude: [/var/l*]", "`/var/l*` takes /var/lib from the twin"),
        ("twin: {exclude: [var]}", "twin.exclude[0]: expected a path that begins with /"),
        ("preflight: {max_clock_skew_s: 1e400}", "expected a whole number of at least 0"),
        ("limits: {high: 2h}", "p:1: limits.high: expected a number of days such as 30d"),
        ("concurrency: 3", "p:1: concurrency: expected a mapping (`key: value`), found `3`"),
        ("- a", "p:1: expected a mapping (`key: value`), found a list"),
        ("a: &x 1\nb: *x", "p:1: anchors and aliases are not used"),
        ("b: *x", "p:1: anchors and aliases are not used"),
        ("a: !!python/name:os.system", "tags (tag:yaml.org,2002:python/name:os.system)"),
        ("<<: {}", "unknown key `<<`"),
        (
            "windows: [{name: a, rule: FREQ=DAILY, start: 22:00, duration: 4h}]",
            'windows[0].start: expected a time of day in quotes, such as "22:30", found `22:00`',
        ),
        (
            "windows:\n- {name: a, rule: FREQ=HOURLY, start: '02:00', duration: 4h}",
            "p:2: windows[0]: rule `FREQ=HOURLY`: FREQ is one of DAILY, MONTHLY, WEEKLY, YEARLY",
        ),
        ("freezes: [{name: a, begins: soon}]", "expected a day such as 2026-12-24, found `soon`"),
        (
            "freezes: [{name: a, days: [2026-01-01]}, {name: a, days: [2026-01-01]}]",
            "p:1: freezes: two freezes are called `a`; rename one",
        ),
        ("emergency: {through_freezes: true}", "has rules and is not enabled; enable it"),
        ("rings: [", "p:1: not YAML: while parsing a flow"),
        ("a: 1\n  b: 2", "p:2: not YAML: mapping values are not allowed here"),
        ("reboot: never\n---\nreboot: always", "p:2: not YAML: expected a single document"),
        ("? [a]\n: b", "expected a word as the key"),
        ("[" * 100_000, "p:1: nested deeper than 20 levels"),
        ("a: \0", "p:1: character U+0000 is not allowed"),
        ("#" * 1_000_001, "p:1: larger than 1,000,000 bytes"),
        ("select: {min_age_days: 2026-13-41}", "expected a whole number"),
        ("select: {min_age_days: -5}", "expected a whole number of at least 0"),
        ("checks: [{on: web, kind: port, target: https}]", "is not address:port"),
        ("checks: [{on: web, kind: port, target: '127.0.0.1:65536'}]", "is not address:port"),
        ("checks: [{on: web, kind: http, target: 'ftp://web/'}]", "http:// or https://"),
    ],
)
def test_errors_name_file_line_key_and_remedy(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(text, name="p")
    assert message in str(caught.value)


def test_a_message_carries_nothing_that_a_terminal_obeys() -> None:
    with pytest.raises(PolicyError) as caught:
        parse('"\\e[2Jx": 1', name="p")
    assert str(caught.value).isprintable()


@given(st.text(alphabet="rings: naectoups-[]{}\n\t'\"&*!|>%#10m\\\0é", max_size=120))
def test_garbage_is_refused_or_read_but_never_crashes(text: str) -> None:
    try:
        policy = parse(text, name="p")
    except PolicyError as error:
        assert str(error).startswith("p:")
    else:
        assert isinstance(policy, Policy)


@pytest.mark.parametrize(
    ("text", "value"), [("30s", 30.0), ("10m", 600.0), ("2h", 7200.0), ("1d", 86400.0)]
)
def test_durations(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("share", "total", "count"),
    [("10%", 19, 1), ("10%", 20, 2), ("1%", 3, 1), (5, 3, 5), ("100%", 7, 7)],
)
def test_shares_round_down_to_at_least_one(share: int | str, total: int, count: int) -> None:
    assert share_of(share, total) == count


def test_patterns_match_name_label_and_service() -> None:
    web = host("web-1", labels=("production",), service="shop")
    assert all(matches(web, pattern) for pattern in ("web-*", "prod*", "shop", "*"))
    assert not matches(web, "web")
