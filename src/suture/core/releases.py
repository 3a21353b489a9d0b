"""Releases as advisories name them.

A host names itself by ``ID`` and ``VERSION_ID`` of its os-release, often more finely than anyone
publishes: the advisories of ``almalinux:9`` hold for a host that says 9.4.
"""

from __future__ import annotations

_MAJOR = frozenset(
    {"almalinux", "amzn", "centos", "debian", "eurolinux", "fedora", "ol", "rhel", "rocky"}
)
_MAJOR_MINOR = frozenset({"alpine"})
_ROLLING = frozenset({"arch", "opensuse-tumbleweed", "opensuse-slowroll"})


def base_release(id_: str, version: str) -> str:
    """``id:version`` as in :attr:`Affected.release`, for what a host's os-release says.

    Of a rolling distribution, which has one release, the id alone with its colon (``arch:``).
    What is not known here is taken as it is.
    """
    id_ = id_.lower()
    parts = version.split(".")
    if id_ in _ROLLING:
        return f"{id_}:"
    if id_ in _MAJOR:
        return f"{id_}:{parts[0]}"
    if id_ == "alpine" and "_alpha" in version:
        return "alpine:edge"  # which calls itself by the release that it will become
    if id_ in _MAJOR_MINOR:
        return f"{id_}:{'.'.join(parts[:2])}"
    return f"{id_}:{version}"
