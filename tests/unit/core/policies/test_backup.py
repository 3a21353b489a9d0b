"""The policy of backups, and what a plan takes from it."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from suture.core.data_backups import DataBackup, DataDirectory, Dump, SnapshotRule
from suture.core.documents import decode, encode
from suture.core.planning.expectations import data_backup
from suture.core.planning.lint import lint
from suture.core.planning.plan import HostPlan
from suture.core.policy import PolicyError, parse
from suture.core.words import size_bytes
from tests.unit.core.builders import host, host_plan, plan, wave, with_host

TEXT = """\
backup:
  keep: 10d
  keep_last: 3
  max_disk: 5GiB
  data:
    - {on: app, path: /var/lib/app/, max_size: 100MiB, units: [app.service]}
  dumps:
    - on: db
      name: all
      command: runuser -u postgres -- pg_dumpall
      verify: grep -q complete
      timeout: 5m
"""


def test_what_a_host_keeps_follows_from_who_it_is() -> None:
    policy = parse(TEXT, name="p.yaml")
    directory = DataDirectory("/var/lib/app", 100 << 20, ("app.service",))
    dump = Dump("all", "runuser -u postgres -- pg_dumpall", "", "grep -q complete", 300)
    assert data_backup(host("a", service="app"), policy) == DataBackup((directory,), ())
    assert data_backup(host("b", labels=("db",)), policy) == DataBackup((), (dump,))
    assert data_backup(host("c"), policy) is UNSET


@pytest.mark.parametrize(
    "backup",
    [
        DataBackup((DataDirectory("/etc", 1),)),
        DataBackup((DataDirectory("/srv/../etc", 1),)),
        DataBackup((DataDirectory("/var/lib/dpkg/info", 1),)),
        DataBackup(dumps=(Dump("../x", "true"),)),
    ],
)
def test_a_plan_that_would_replace_a_part_of_the_system_does_not_pass(backup: DataBackup) -> None:
    whole = plan([wave(0, ["a"])])
    assert "bad-backup" not in {problem.code for problem in lint(whole)}
    wrong = with_host(whole, "a", backup=backup)
    assert "bad-backup" in {problem.code for problem in lint(wrong)}


def test_snapshots_by_the_first_rule_that_matches() -> None:
    text = "backup: {snapshots: [{on: db-*, rule: never}, {on: db-*, rule: required}]}\n"
    assert data_backup(host("db-1"), parse(text, name="p.yaml")) is UNSET
    text = "backup: {snapshots: [{on: db-*}]}\n"
    rule = SnapshotRule.WHERE_POSSIBLE
    assert data_backup(host("db-1"), parse(text, name="p")) == DataBackup(snapshots=rule)


def test_plans_from_before_there_was_data_keep_their_documents() -> None:
    old = host_plan("a")
    assert b"backup" not in encode(old)
    assert decode(encode(old), HostPlan) == old


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("/var/lib/app/", "/"),
        ("/var/lib/app/", "/var/lib/app/../../etc"),
        ("/var/lib/app/", "/var/lib/suture"),
        ("100MiB", "100MB"),
        ("app.service", "app"),
        ("keep_last: 3", "keep_last: 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(change: str, said: str) -> None:
    with pytest.raises(PolicyError, match=r"p\.yaml:\d+"):
        parse(TEXT.replace(change, said), name="p.yaml")


def test_two_dumps_of_one_name_are_refused() -> None:
    twice = TEXT + TEXT[TEXT.index("    - on: db") :]
    with pytest.raises(PolicyError, match="rename one"):
        parse(twice, name="p.yaml")


def test_sizes() -> None:
    assert (size_bytes("1KiB"), size_bytes("2GiB")) == (1024, 2 << 30)
