"""Until when releases get security updates, as their publishers announced it.

From the publishers' own pages (wiki.debian.org/LTS, ubuntu.com/about/release-cycle,
wiki.almalinux.org, wiki.rockylinux.org, access.redhat.com/support/policy/updates/errata,
alpinelinux.org/releases, en.opensuse.org/Lifetime, www.suse.com/lifecycle) as of 2026-11. A release
that is not named here is not known, which is not the same as supported.
"""

from __future__ import annotations

from datetime import date

from suture.core.documents import Document


class Lifecycle(Document, frozen=True):
    """``free`` is the last day of security updates for everybody, ``paid`` that of those for
    subscribers, where there is such an offer."""

    free: date
    paid: date | None = None
    offer: str = ""


_LTS = "Debian LTS"
_PRO = "Ubuntu Pro"

LIFECYCLES = {
    "debian:9": Lifecycle(date(2022, 6, 30)),
    "debian:10": Lifecycle(date(2024, 6, 30)),
    "debian:11": Lifecycle(date(2026, 8, 31)),
    "debian:12": Lifecycle(date(2028, 6, 30)),
    "debian:13": Lifecycle(date(2030, 6, 30)),
    "ubuntu:16.04": Lifecycle(date(2021, 4, 30), date(2026, 4, 30), _PRO),
    "ubuntu:18.04": Lifecycle(date(2023, 5, 31), date(2028, 4, 30), _PRO),
    "ubuntu:20.04": Lifecycle(date(2025, 5, 31), date(2030, 4, 30), _PRO),
    "ubuntu:22.04": Lifecycle(date(2027, 5, 31), date(2032, 4, 30), _PRO),
    "ubuntu:24.04": Lifecycle(date(2029, 5, 31), date(2034, 4, 30), _PRO),
    "centos:7": Lifecycle(date(2024, 6, 30)),
    "centos:8": Lifecycle(date(2021, 12, 31)),
    "rhel:7": Lifecycle(date(2024, 6, 30), date(2028, 6, 30), "Red Hat's ELS"),
    "rhel:8": Lifecycle(date(2029, 5, 31)),
    "rhel:9": Lifecycle(date(2032, 5, 31)),
    "rhel:10": Lifecycle(date(2035, 5, 31)),
    "almalinux:8": Lifecycle(date(2029, 3, 1)),
    "almalinux:9": Lifecycle(date(2032, 5, 31)),
    "almalinux:10": Lifecycle(date(2035, 5, 31)),
    "rocky:8": Lifecycle(date(2029, 5, 31)),
    "rocky:9": Lifecycle(date(2032, 5, 31)),
    "rocky:10": Lifecycle(date(2035, 5, 31)),
    "alpine:3.18": Lifecycle(date(2025, 5, 9)),
    "alpine:3.19": Lifecycle(date(2025, 11, 1)),
    "alpine:3.20": Lifecycle(date(2026, 4, 1)),
    "alpine:3.21": Lifecycle(date(2026, 11, 1)),
    "alpine:3.22": Lifecycle(date(2027, 5, 1)),
    "opensuse-leap:15.5": Lifecycle(date(2024, 12, 31)),
    "opensuse-leap:15.6": Lifecycle(date(2026, 4, 30)),
}
