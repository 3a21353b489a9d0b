"""Ways back that a person asks for, days later too, and the test-read that stands before them."""

from __future__ import annotations

import uuid

import pytest

from suture.core.evidence import Step, StepReport, Verdict
from suture.core.planning.plan import HostPlan
from suture.core.rollout.ways_back import Refusal, WayBack, narrowed
from suture.hosts import patching
from suture.hosts.patching import PatchSession
from suture.hosts.rollback import Preview, Restored, preview
from tests.lab import probe
from tests.lab.box import Box, box, run, take_back
from tests.lab.probe import CONFFILE, NAME

__all__ = ["box"]

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("ways-back")]

EXTRA = f"{NAME}-extra"
_WHOLE = WayBack()


async def patched(box: Box, plan: HostPlan | None = None) -> tuple[HostPlan, str]:
    """The host at 2.0 by a patch; the plan and the rollout."""
    if plan is None:
        await probe.publish(box.transport, "2.0", postinst=f"echo patched >{CONFFILE}.made")
        plan = await box.plan("2.0")
    session = box.session(plan)
    report = await run(session, Step.VERIFY)
    assert report.verdict is Verdict.PASS, report.reason
    return plan, session.plan_id


def asking(
    box: Box, plan: HostPlan, rollout: str, how: WayBack = _WHOLE, attempt: int = 0
) -> PatchSession:
    part = narrowed(plan, how.sources)
    return box.session(part, rollout, way_back=how, attempt=attempt)


async def refused(session: PatchSession, kind: Refusal) -> str:
    """The preview and the host's own answer refuse for the same reason, and nothing changes."""
    seen = await preview(session)
    assert [one.kind for one in seen.refusals] == [kind], seen
    report = await patching.roll_back(session)
    assert report.verdict is Verdict.FAIL
    assert not report.changed_host
    assert seen.refusals[0].reason in report.reason
    return report.reason


async def back(session: PatchSession) -> StepReport:
    report = await take_back(session)
    assert report.verdict is Verdict.PASS, report.reason
    return report


async def test_a_bundle_that_does_not_read_back_is_no_bundle(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    session = box.session(await box.plan("2.0"))
    await run(session, Step.PREFLIGHT)
    broken = "/usr/local/sbin/tar"
    await box.sh(
        f'printf \'#!/bin/sh\\n/usr/bin/tar "$@"\\nstatus=$?\\n'
        f'case "$*" in *-cf*config.tar*) truncate -s 20000 "${{@: -1}}" ;; esac\\n'
        f"exit $status\\n' >{broken}; sed -i 1s,sh,bash, {broken}; chmod 755 {broken}"
    )
    try:
        report = await patching.bundle(session)
    finally:
        await box.sh(f"rm {broken}")
    assert report.verdict is Verdict.FAIL
    assert "the configuration does not read back" in report.reason
    report = await patching.apply(session)
    assert "no return bundle, no patch" in report.reason
    assert await box.version() == "1.0 installed"


async def test_another_build_of_the_old_version_is_not_the_way_back(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    plan = await box.plan("2.0")
    kept = f"/var/lib/suture/cache/{NAME}_1.0_all.deb"
    sums = "find usr -type f | xargs md5sum"
    await box.sh(
        f"cd / && {sums.replace('usr', f'usr/lib/{NAME}')} >/var/lib/dpkg/info/{NAME}.md5sums; "
        f"cd /srv/build/{NAME}; sed -i 's/^Version: .*/Version: 1.0/' DEBIAN/control; "
        f"echo another >usr/lib/{NAME}/version; ({sums}) >DEBIAN/md5sums; "
        f"mkdir -p /var/lib/suture/cache; dpkg-deb --root-owner-group -Zgzip --build . {kept}"
    )
    report = await patching.acquire(box.session(plan))
    assert report.verdict is Verdict.PASS, report.reason
    content = f"dpkg-deb --fsys-tarfile {kept} | tar -xO ./usr/lib/{NAME}/version"
    assert await box.sh(content) == "1.0\n"


async def test_days_later_what_others_did_since_is_left_alone(box: Box) -> None:
    await probe.publish(box.transport, "1.0", name=EXTRA, unit=False)
    await probe.install(box.transport, "1.0", name=EXTRA)
    plan, rollout = await patched(box)
    await probe.publish(box.transport, "2.0", name=EXTRA, unit=False)
    await probe.install(box.transport, "2.0", name=EXTRA)
    await box.sh(
        f"apt-mark hold {EXTRA}; echo theirs >/etc/probe-theirs; systemctl stop cron || true"
    )
    session = asking(box, plan, rollout)
    seen = await preview(session)
    assert seen.packages == (Restored(f"{NAME}:all", "2.0", "1.0"),)
    assert (seen.refusals, seen.removed) == ((), (f"{CONFFILE}.made",))
    assert "/etc/probe-theirs" in seen.kept
    await back(session)
    assert await box.version() == "1.0 installed"
    assert await box.version(EXTRA) == "2.0 installed"
    assert await box.sh("apt-mark showhold") == f"{EXTRA}\n"
    assert await box.sh("cat /etc/probe-theirs") == "theirs\n"
    assert await box.sh("systemctl is-active cron || true") == "inactive\n"
    await box.sh(f"rm /etc/probe-theirs; apt-mark unhold {EXTRA}; systemctl start cron")


async def test_a_package_that_needs_the_new_version_holds_it(box: Box) -> None:
    plan, rollout = await patched(box)
    await probe.publish(box.transport, "1.0", name=EXTRA, unit=False, depends=f"{NAME} (>= 2.0)")
    await probe.install(box.transport, "1.0", name=EXTRA)
    assert EXTRA in await refused(asking(box, plan, rollout), Refusal.DEPENDENTS)
    await box.sh(f"dpkg --purge {EXTRA}")
    await back(asking(box, plan, rollout, attempt=1))


async def test_a_package_that_went_on_or_a_bundle_that_is_gone_holds_it(box: Box) -> None:
    plan, rollout = await patched(box)
    await probe.publish(box.transport, "3.0")
    await probe.install(box.transport, "3.0")
    assert "is now 3.0" in await refused(asking(box, plan, rollout), Refusal.CHANGED_PACKAGES)
    await probe.install(box.transport, "2.0")
    bundle = f"/var/lib/suture/tx/{asking(box, plan, rollout).bundle_id}/return"
    await box.sh(f"cp {bundle}/held /run/held; echo damage >>{bundle}/held")
    why = await refused(asking(box, plan, rollout, attempt=1), Refusal.NO_BUNDLE)
    assert "does not read back" in why
    await box.sh(f"cp /run/held {bundle}/held; mv {bundle} {bundle}.away")
    await refused(asking(box, plan, rollout, attempt=2), Refusal.NO_BUNDLE)
    await box.sh(f"mv {bundle}.away {bundle}")
    await back(asking(box, plan, rollout, attempt=3))


async def test_configuration_that_both_changed_is_kept_where_that_was_asked_for(box: Box) -> None:
    plan, rollout = await patched(box)
    await box.sh(f"echo ours >{CONFFILE}.made")
    why = await refused(asking(box, plan, rollout), Refusal.CHANGED_CONFIGURATION)
    assert f"{CONFFILE}.made" in why
    session = asking(box, plan, rollout, WayBack(keep_changed=True), attempt=1)
    seen: Preview = await preview(session)
    assert seen.conflicts == (f"{CONFFILE}.made",)
    await back(session)
    assert await box.sh(f"cat {CONFFILE}.made") == "ours\n"
    await box.sh(f"rm {CONFFILE}.made")


async def test_data_in_a_newer_format_holds_it(box: Box) -> None:
    marker = "/var/lib/mysql/mariadb_upgrade_info"
    await box.sh(f"mkdir -p /var/lib/mysql; printf '10.11.6-MariaDB' >{marker}")
    plan, rollout = await patched(box)
    await box.sh(f"printf '10.11.14-MariaDB' >{marker}")
    why = await refused(asking(box, plan, rollout), Refusal.CHANGED_DATA)
    assert f"{marker} was 10.11.6-MariaDB and is 10.11.14-MariaDB" in why
    await back(asking(box, plan, rollout, WayBack(accept_changed_data=True), attempt=1))
    await box.sh("rm -r /var/lib/mysql")


async def test_one_package_and_then_the_rest(box: Box) -> None:
    await probe.publish(box.transport, "1.0", name=EXTRA, unit=False)
    await probe.install(box.transport, "1.0", name=EXTRA)
    await probe.publish(box.transport, "2.0")
    await probe.publish(
        box.transport, "2.0", name=EXTRA, unit=False, postinst="echo 2 >/etc/probe-extra"
    )
    plan = probe.host_plan(
        box.server.host.name,
        await probe.change(box.transport, "1.0", "2.0"),
        await probe.change(box.transport, "1.0", "2.0", name=EXTRA),
    )
    _, rollout = await patched(box, plan)
    await back(asking(box, plan, rollout, WayBack((NAME,))))
    assert (await box.version(), await box.version(EXTRA)) == ("1.0 installed", "2.0 installed")
    assert await box.sh("cat /etc/probe-extra") == "2\n"
    await back(asking(box, plan, rollout, attempt=1))
    assert await box.version(EXTRA) == "1.0 installed"
    assert await box.sh("ls /etc/probe-extra 2>/dev/null || true") == ""


async def test_an_unknown_rollout_has_no_bundle(box: Box) -> None:
    await probe.publish(box.transport, "2.0")
    await refused(asking(box, await box.plan("2.0"), uuid.uuid4().hex), Refusal.NO_BUNDLE)
