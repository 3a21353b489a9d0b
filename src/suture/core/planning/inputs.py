"""What a rehearsal's verdict rests on: it counts for as long as none of that has changed.

Hosts of one class have nearly the same inputs; where their checks differ, each kind of host among
them has inputs, and so a rehearsal, of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from suture.core.documents import Document, digest
from suture.core.inventory import HealthCheck, HealthCheckKind
from suture.core.planning.plan import HostPlan
from suture.core.policy import Policy

_OWN = "{host}"


class Inputs(Document, frozen=True):
    """Names and digests, compared one by one.

    ``class_id`` stands for the services besides all else that makes hosts alike. In ``checks`` a
    host's own name and address are left out, as twins of hosts alike are asked the same questions.
    ``excluded`` is what was left out of the clone, ``scripts`` the digest of what runs on hosts,
    ``suites`` that of the suites' content, empty without any.
    """

    release: str
    arch: str
    packages: str
    patch_set: str
    controls: str
    class_id: str
    checks: str
    reboot: str
    excluded: str
    load: str
    scripts: str
    suites: str = ""


_IN_WORDS = {
    "release": "its release",
    "arch": "its architecture",
    "packages": "its packages",
    "patch_set": "the patch set",
    "controls": "the controls",
    "class_id": "its services",
    "checks": "the health checks",
    "reboot": "the rule for reboots",
    "excluded": "what is left out of the twin (twin.exclude)",
    "load": "the load (performance)",
    "scripts": "Suture's own scripts",
    "suites": "the test suites",
}
_PARTS_OF_CLASS = ("release", "arch", "packages", "patch_set", "controls")


def inputs_of(
    host: HostPlan, policy: Policy, *, address: str, scripts: str, suites: str = ""
) -> Inputs:
    """``address`` is the host's own, ``scripts`` the digest of what Suture runs on hosts,
    ``suites`` that of the content of the host's suites."""
    own = re.compile(
        "|".join(rf"(?<![\w.:-]){re.escape(word)}(?![\w.-])" for word in (address, host.host))
    )
    return Inputs(
        release=host.release,
        arch=host.arch,
        packages=host.package_set[:16],
        patch_set=host.patch_set[:16],
        controls=_short(host.controls),
        class_id=host.class_id,
        checks=_short(sorted(_question(check, own) for check in host.checks)),
        reboot=f"{host.reboot.value} {policy.rehearsal.real_reboot.value}",
        excluded=_short(sorted(policy.twin.exclude)),
        load=_short(policy.performance),
        scripts=scripts[:16],
        suites=suites[:16],
    )


def changed(before: Inputs, now: Inputs) -> tuple[str, ...]:
    """What differs, in words; that the class is another one only where nothing else says why."""
    names = [name for name in _IN_WORDS if getattr(before, name) != getattr(now, name)]
    if any(name in _PARTS_OF_CLASS for name in names):
        names = [name for name in names if name != "class_id"]
    return tuple(_IN_WORDS[name] for name in names)


def _question(check: HealthCheck, own: re.Pattern[str]) -> tuple[str, ...]:
    """What is asked, in the same words on hosts alike; a proposed port on whatever address."""
    target = own.sub(_OWN, check.target)
    if check.proposed and check.kind is HealthCheckKind.PORT:
        target = check.target.rpartition(":")[2]
    rest = msgspec.structs.replace(check, target="", body=own.sub(_OWN, check.body))
    return target, digest(rest)


def _short(value: object) -> str:
    return digest(value)[:16]


def in_words(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``"""
    names = list(names)
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
