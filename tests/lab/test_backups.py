"""What is kept on real hosts, for how long, and data that goes back with a patch."""

from __future__ import annotations

import msgspec
import pytest

from suture.core.backups import Retention
from suture.core.data_backups import DataBackup, DataDirectory, Dump
from suture.core.evidence import Step, Verdict
from suture.core.rollout.ways_back import Refusal, WayBack
from suture.hosts import patching
from suture.hosts.bundles import list_bundles, prune_bundles
from suture.hosts.patching import PatchSession, PatchSettings
from suture.hosts.rollback import preview
from suture.hosts.transport import HostError
from tests.lab import probe
from tests.lab.box import Box, box, run, take_back
from tests.lab.probe import CONFFILE, NAME

__all__ = ["box"]

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("backups")]

_TX = "/var/lib/suture/tx"


def keeping(retention: Retention) -> PatchSettings:
    return PatchSettings(lock_wait_s=3, health_wait_s=4, retention=retention)


async def bundled(box: Box, retention: Retention, *protected: str) -> PatchSession:
    """A session with its return bundle; the package stays at 1.0."""
    session = box.session(
        await box.plan("2.0"), settings=keeping(retention), protected=tuple(protected)
    )
    report = await run(session, Step.BUNDLE)
    assert report.verdict is Verdict.PASS, report.reason
    return session


@pytest.fixture
async def emptied(box: Box) -> Box:
    """The host without bundles, and 2.0 on offer."""
    await box.sh(f"rm -rf {_TX}")
    await probe.publish(box.transport, "2.0")
    return box


async def age(box: Box, session: PatchSession, days: int) -> None:
    about = f"{_TX}/{session.bundle_id}/return/about"
    await box.sh(f'sed -i "s/^made .*/made $(($(date +%s) - {days} * 86400))/" {about}')


async def ids(box: Box) -> list[str]:
    return [one.id for one in await list_bundles(box.transport, check=False)]


async def test_a_bundle_is_listed_with_what_it_brings_back(emptied: Box) -> None:
    session = await bundled(emptied, Retention())
    (one,) = await list_bundles(emptied.transport, check=True)
    assert (one.id, one.rollout) == (session.bundle_id, session.plan_id)
    assert (one.complete, one.reads) == (True, True)
    assert [(p.package, p.patched, p.before) for p in one.packages] == [
        (f"{NAME}:all", "2.0", "1.0")
    ]
    await emptied.sh(f"echo damage >>{_TX}/{one.id}/return/held")
    (one,) = await list_bundles(emptied.transport, check=True)
    assert one.reads is False


async def test_old_ones_go_apart_from_the_last_and_those_of_rollouts_at_work(emptied: Box) -> None:
    retention = Retention(keep_s=86400, keep_last=1)
    oldest = await bundled(emptied, retention)
    await age(emptied, oldest, 30)
    older = await bundled(emptied, retention)
    await age(emptied, older, 20)
    last = await bundled(emptied, retention, oldest.plan_id)
    assert set(await ids(emptied)) == {oldest.bundle_id, older.bundle_id, last.bundle_id}
    removed = await prune_bundles(emptied.transport, retention, [oldest.bundle_id])
    assert removed == (older.bundle_id,)
    assert await prune_bundles(emptied.transport, retention, ()) == (oldest.bundle_id,)
    assert await ids(emptied) == [last.bundle_id]
    await age(emptied, last, 300)
    assert await prune_bundles(emptied.transport, retention, ()) == ()


async def test_the_next_rollout_removes_what_is_too_old(emptied: Box) -> None:
    retention = Retention(keep_s=86400, keep_last=1)
    old = await bundled(emptied, retention)
    await age(emptied, old, 30)
    await bundled(emptied, retention)
    third = await bundled(emptied, retention)
    found = await ids(emptied)
    assert old.bundle_id not in found and third.bundle_id in found


async def test_a_budget_makes_room_and_where_it_cannot_the_host_is_left_alone(emptied: Box) -> None:
    first = await bundled(emptied, Retention())
    (one,) = await list_bundles(emptied.transport, check=False)
    tight = Retention(keep_last=1, max_bytes=(2 * one.kib + 1536) * 1024)
    second = await bundled(emptied, tight)
    third = await bundled(emptied, tight)
    assert first.bundle_id not in await ids(emptied)
    protected = (second.plan_id, third.plan_id)
    settings = keeping(tight)
    held = emptied.session(await emptied.plan("2.0"), settings=settings, protected=protected)
    report = await run(held, Step.BUNDLE)
    assert report.verdict is Verdict.FAIL
    assert "the disk budget for return bundles is" in report.reason
    assert not report.changed_host
    assert set(await ids(emptied)) == {second.bundle_id, third.bundle_id}


async def test_nothing_is_pruned_while_a_transaction_is_at_work(emptied: Box) -> None:
    await bundled(emptied, Retention())
    await emptied.sh(
        "flock /var/lib/suture/busy sh -c 'touch /run/busy-in; sleep 3' >/dev/null 2>&1 & "
        "until [ -e /run/busy-in ]; do sleep 0.1; done; rm /run/busy-in"
    )
    with pytest.raises(HostError, match="a transaction is at work"):
        await prune_bundles(emptied.transport, Retention(), ())
    await emptied.sh("flock /var/lib/suture/busy true")


DUMP = Dump(
    "notes",
    command="cat /srv/notes.db && echo complete",
    restore="grep -v '^complete$' >/srv/notes.db",
    verify="grep -q '^complete$'",
    timeout_s=20,
)


async def with_data(box: Box, *dumps: Dump, max_bytes: int = 1 << 20) -> PatchSession:
    """A session whose plan keeps ``/srv/app`` and dumps; the patch spoils both."""
    await box.sh(
        "rm -rf /srv/app; mkdir -p /srv/app/deep; echo old >/srv/app/deep/file; "
        "chmod 640 /srv/app/deep/file; echo old >/srv/notes.db"
    )
    migrate = "echo new >/srv/app/deep/file; echo new >/srv/app/more; echo new >/srv/notes.db"
    await probe.publish(box.transport, "2.0", postinst=migrate)
    directory = DataDirectory("/srv/app", max_bytes, (f"{NAME}.service",))
    backup = DataBackup((directory,), dumps)
    return box.session(msgspec.structs.replace(await box.plan("2.0"), backup=backup))


async def test_data_goes_back_where_that_was_asked_for_and_only_there(emptied: Box) -> None:
    box, state = emptied, "cat /srv/app/deep/file /srv/notes.db; ls /srv/app"
    session = await with_data(box, DUMP)
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.PASS, report.reason
    (one,) = await list_bundles(box.transport, check=True)
    assert (one.data, one.reads) == (("/srv/app", "notes"), True)
    session.way_back = WayBack()
    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.sh(state) == "new\nnew\ndeep\nmore\n"
    session.way_back, session.attempt = WayBack(with_data=True), 1
    report = await patching.roll_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert {check.name for check in report.checks} >= {"data /srv/app", "dump notes"}
    report = await patching.verify_roll_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    assert await box.sh(state) == "old\nold\ndeep\n"
    assert await box.sh("stat -c %a /srv/app/deep/file") == "640\n"
    replaced = f"{_TX}/{session.bundle_id}/return/replaced/0.tar"
    assert "srv/app/more" in await box.sh(f"tar -tf {replaced}")
    assert await box.sh(f"cat {CONFFILE}") == "shipped\n"


@pytest.mark.parametrize(
    ("dump", "reason"),
    [
        (msgspec.structs.replace(DUMP, command="echo half; exit 4"), "ended with status 4"),
        (msgspec.structs.replace(DUMP, command="true"), "is empty"),
        (msgspec.structs.replace(DUMP, command="cat /srv/notes.db"), "its own verification"),
        (msgspec.structs.replace(DUMP, command="sleep 9", timeout_s=1), "not finished after 1 s"),
        (msgspec.structs.replace(DUMP, command="cat /dev/zero"), "needs more than"),
    ],
)
async def test_a_dump_that_does_not_count_is_no_patch(
    emptied: Box, dump: Dump, reason: str
) -> None:
    session = await with_data(emptied, dump)
    session.settings = keeping(Retention(max_bytes=30 << 20))
    report = await run(session, Step.BUNDLE)
    assert report.verdict is Verdict.FAIL
    assert reason in report.reason
    assert not report.changed_host
    assert await ids(emptied) == []


async def test_data_that_is_too_large_or_changes_is_no_patch(emptied: Box) -> None:
    session = await with_data(emptied, max_bytes=1 << 20)
    await emptied.sh("head -c 2M /dev/urandom >/srv/app/large")
    report = await run(session, Step.BUNDLE)
    assert "/srv/app has 2 MiB, backup.data allows 1 MiB" in report.reason
    session = await with_data(emptied, max_bytes=1 << 30)
    await emptied.sh(
        "head -c 20M /dev/urandom >/srv/app/large; setsid sh -c "
        "'while [ -e /srv/app/large ]; do date +%N >>/srv/app/large; done' >/dev/null 2>&1 &"
    )
    report = await run(session, Step.BUNDLE)
    await emptied.sh("rm /srv/app/large")
    assert "/srv/app changes while it is kept" in report.reason
    assert not report.changed_host


async def test_a_dump_without_a_way_to_restore_it_is_said(emptied: Box) -> None:
    session = await with_data(emptied, msgspec.structs.replace(DUMP, restore=""))
    assert (await run(session, Step.VERIFY)).verdict is Verdict.PASS
    session.way_back = WayBack(with_data=True)
    seen = await preview(session)
    assert [one.kind for one in seen.refusals] == [Refusal.NO_DATA]
    assert "has no restore command" in seen.refusals[0].reason
    session.way_back = WayBack()
    assert (await take_back(session)).verdict is Verdict.PASS
