"""Orders of versions: keys held against apt_pkg, dpkg and librpm, and their speed beside peers."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from debian.debian_support import NativeVersion
from univers.versions import DebianVersion, RpmVersion, Version

from bench import published
from bench.measure import Figure, Report, UnmetError, need
from suture.core import versions
from suture.core.intelligence.advisories import Advisory, rules
from suture.core.versions import Scheme, dpkg, is_valid, key, rpm

RUNS = 5

_PAIRS = 1_000_000
_ASKED_OF_DPKG = 4_000
_COMPARED = 20_000  # by each peer in one run
_PYTHON = "/usr/bin/python3"  # the distribution's own, which its bindings belong to

T = TypeVar("T")
Pair = tuple[str, str]

_APT_PKG = """
import sys, apt_pkg
apt_pkg.init_system()
for line in sys.stdin:
    a, b = line.split()
    order = apt_pkg.version_compare(a, b)
    sys.stdout.write("<=>"[(order > 0) - (order < 0) + 1])
"""

_LIBRPM = """
import sys, rpm
def evr(text):
    epoch, colon, rest = text.partition(":")
    version, dash, release = (rest if colon else text).rpartition("-")
    return (epoch if colon else "0", version, release)
for line in sys.stdin:
    a, b = line.split()
    sys.stdout.write("<=>"[rpm.labelCompare(evr(a), evr(b)) + 1])
"""


def run(runs: int) -> Report:
    need("dpkg", "dpkg")
    _need_binding("apt_pkg", "python3-apt")
    _need_binding("rpm", "python3-rpm")
    debs, rpms = _debian_versions(), _rpm_versions()
    deb_pairs = _pairs(debs, Scheme.DPKG, "019az+.~-")
    rpm_pairs = _pairs(rpms, Scheme.RPM, "019azAZ+.~^_")
    deb_sample, rpm_sample = _accepted(deb_pairs, DebianVersion), _accepted(rpm_pairs, RpmVersion)
    asked = [pair for pair in deb_pairs if not any(map(_is_option, pair))][:_ASKED_OF_DPKG]
    figures = (
        _mismatches("dpkg_mismatches", "dpkg keys against apt_pkg", deb_pairs, Scheme.DPKG),
        _count("dpkg_pairs", "pairs of Debian versions", deb_pairs),
        Figure(
            "dpkg_command_mismatches",
            f"dpkg keys against dpkg --compare-versions, {len(asked)} pairs",
            (_differing(asked, _ask_dpkg(asked), Scheme.DPKG),),
            goal="0",
        ),
        _mismatches("rpm_mismatches", "rpm keys against librpm", rpm_pairs, Scheme.RPM),
        _count("rpm_pairs", "pairs of RPM versions", rpm_pairs),
        _rate("dpkg_keys_per_s", "Suture, dpkg keys made", runs, debs, dpkg.encode),
        _rate("rpm_keys_per_s", "Suture, rpm keys made", runs, rpms, rpm.encode),
        _rate("dpkg_compares_per_s", "Suture, dpkg", runs, deb_sample, _ours(dpkg.encode)),
        _rate(
            "python_debian_compares_per_s", "python-debian", runs, deb_sample, _lt(NativeVersion)
        ),
        _rate("univers_dpkg_compares_per_s", "univers, dpkg", runs, deb_sample, _lt(DebianVersion)),
        _rate("rpm_compares_per_s", "Suture, rpm", runs, rpm_sample, _ours(rpm.encode)),
        _rate("univers_rpm_compares_per_s", "univers, rpm", runs, rpm_sample, _lt(RpmVersion)),
        _rate("known_compares_per_s", "Suture, keys kept", runs, _known(deb_sample), _key_lt),
    )
    return Report(
        title=f"versions: {len(debs)} of Debian and {len(rpms)} of RPM, real, and mutated",
        figures=figures,
        caveats=(
            "Real versions: fixed versions of the DSA and DLA lists, of the Ubuntu tracker and of "
            "AlmaLinux, and what dpkg lists on this machine. Half of the pairs are of two real "
            "ones, half of them neighbours in the order; of the other half one or both are "
            "mutated in one to three characters.",
            "Comparisons per second start from two texts each, on one core, nothing remembered "
            "from an earlier pair; `known` compares keys made before, as the product does.",
            "python-debian compares in Python here, for apt_pkg is not in this environment.",
        ),
    )


def _debian_versions() -> list[str]:
    installed = [
        line.split(": ", 1)[1]
        for line in Path("/var/lib/dpkg/status").read_text(encoding="utf-8").splitlines()
        if line.startswith("Version: ")
    ]
    return _real((*_fixed(published.debian()), *_fixed(published.ubuntu()), *installed))


def _rpm_versions() -> list[str]:
    return _real(_fixed(published.alma()), Scheme.RPM)


def _fixed(advisories: Iterable[Advisory]) -> list[str]:
    return [rule.fixed or "" for advisory in advisories for rule in rules(advisory)]


def _real(found: Iterable[str], scheme: Scheme = Scheme.DPKG) -> list[str]:
    """In their order, so that neighbours differ little."""
    valid = {version for version in found if is_valid(version, scheme)}
    return sorted(valid, key=lambda version: (key(version, scheme), version))


def _pairs(real: Sequence[str], scheme: Scheme, alphabet: str) -> list[Pair]:
    """The same pairs on each run, in no order."""
    chance = random.Random(3)

    def mutated(version: str) -> str:
        characters = list(version)
        for _ in range(chance.randint(1, 3)):
            characters[chance.randrange(len(characters))] = chance.choice(alphabet)
        return "".join(characters)

    pairs: list[Pair] = []
    while len(pairs) < _PAIRS:
        at = chance.randrange(len(real))
        near = real[min(at + chance.randint(1, 3), len(real) - 1)]
        one, other = real[at], near if chance.random() < 0.5 else chance.choice(real)
        if len(pairs) % 2:
            one, other = mutated(one), one if chance.random() < 0.5 else mutated(other)
        if _comparable(one, scheme) and _comparable(other, scheme):
            pairs.append((one, other))
    return pairs


def _comparable(version: str, scheme: Scheme) -> bool:
    """librpm's function takes a release apart from its version, so there must be one."""
    return is_valid(version, scheme) and (scheme is Scheme.DPKG or "-" in version)


def _need_binding(module: str, package: str) -> None:
    asked = [_PYTHON, "-c", f"import {module}"]
    if not Path(_PYTHON).exists() or subprocess.run(asked, capture_output=True).returncode != 0:
        raise UnmetError(
            f"{_PYTHON} cannot import {module}: run "
            f"`apt-get install --no-install-recommends {package}`"
        )


def _mismatches(name: str, label: str, pairs: Sequence[Pair], scheme: Scheme) -> Figure:
    script = _APT_PKG if scheme is Scheme.DPKG else _LIBRPM
    told = "\n".join(f"{a} {b}" for a, b in pairs)
    answers = subprocess.run(
        [_PYTHON, "-c", script], input=told, capture_output=True, text=True, check=True
    )
    return Figure(name, label, (_differing(pairs, answers.stdout, scheme),), goal="0")


def _is_option(version: str) -> bool:
    """What the command takes for one."""
    return version.startswith("-")


def _ask_dpkg(pairs: Sequence[Pair]) -> str:
    script = "\n".join(
        f"dpkg --compare-versions '{a}' lt '{b}' && printf '<' || "
        f"{{ dpkg --compare-versions '{a}' eq '{b}' && printf = || printf '>'; }}"
        for a, b in pairs
    )
    return subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True).stdout


def _differing(pairs: Sequence[Pair], answers: str, scheme: Scheme) -> int:
    ours = ("<=>"[versions.compare(a, b, scheme) + 1] for a, b in pairs)
    return sum(one != other for one, other in zip(ours, answers, strict=True))


def _accepted(pairs: Sequence[Pair], peer: type[Version]) -> list[Pair]:
    """Pairs that the stricter peer takes too."""
    taken = (pair for pair in pairs if all(_takes(peer, version) for version in pair))
    return list(islice(taken, _COMPARED))


def _takes(peer: type[Version], version: str) -> bool:
    taken: bool = peer.is_valid(version)  # type: ignore[no-untyped-call]
    return taken


def _count(name: str, label: str, pairs: Sequence[Pair]) -> Figure:
    return Figure(name, label, (len(pairs),), goal="≥ 1 000 000")


def _rate(
    name: str, label: str, runs: int, items: Sequence[T], work: Callable[[T], object]
) -> Figure:
    """Items worked off in a second."""
    rates = []
    for _ in range(runs):
        began = time.perf_counter()
        for item in items:
            work(item)
        rates.append(len(items) / (time.perf_counter() - began))
    return Figure(name, label, tuple(rates), "/s")


def _ours(encode: Callable[[str], bytes | None]) -> Callable[[Pair], object]:
    return lambda pair: (encode(pair[0]) or b"") < (encode(pair[1]) or b"")


def _lt(version: Callable[[str], object]) -> Callable[[Pair], object]:
    return lambda pair: version(pair[0]) < version(pair[1])  # type: ignore[operator]


def _known(pairs: Sequence[Pair]) -> list[tuple[bytes, bytes]]:
    return [(key(a), key(b)) for a, b in pairs]


def _key_lt(pair: tuple[bytes, bytes]) -> object:
    return pair[0] < pair[1]
