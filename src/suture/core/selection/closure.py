"""What taking an update entails: the other packages that must come, and what forbids it.

The answer errs on the side of leaving an update out, with the reason. What installed packages
provide and demand is not in the inventory, so a need without a version for a name that is nowhere
known is taken for a virtual package of theirs, and the host's own package manager checks the whole
set again before anything is changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from suture.core.documents import Document
from suture.core.inventory import AvailableVersion, Inventory, PackageState
from suture.core.relations import Clause, Relation, parse, provided
from suture.core.selection.ledger import Reason


class Failure(Document, frozen=True):
    """Why an update cannot be taken: BLOCKED, INSTALLS or REMOVES, in words."""

    reason: Reason
    detail: str


class Closure(Document, frozen=True):
    """All that is taken, by package key, and what of the wanted cannot be.

    ``needed_by`` names for each package that nobody asked for one that needs it.
    """

    taken: Mapping[str, AvailableVersion]
    needed_by: Mapping[str, str]
    failed: Mapping[str, Failure]


class Pool:
    """Versions by package key, found by name and by what they provide."""

    def __init__(self, versions: Mapping[str, AvailableVersion]) -> None:
        self.versions: dict[str, AvailableVersion] = {}
        self._named: dict[str, list[str]] = {}
        self._providers: dict[str, list[tuple[str, str]]] = {}
        for key, version in sorted(versions.items()):
            self.add(key, version)

    def add(self, key: str, version: AvailableVersion) -> None:
        self.versions[key] = version
        self._named.setdefault(version.name, []).append(key)
        for name, of in provided(version.provides):
            self._providers.setdefault(name, []).append((key, of))

    def named(self, name: str) -> list[str]:
        return self._named.get(name, [])

    def providing(self, relation: Relation) -> list[str]:
        """Those that provide the name as a virtual package, at a version that will do."""
        providers = self._providers.get(relation.name, [])
        return [key for key, of in providers if relation.allows(of)]


class _Host:
    """What is installed, what is on offer for it by source, and why updates are left out."""

    def __init__(
        self,
        inventory: Inventory,
        offered: Mapping[str, AvailableVersion],
        refused: Mapping[str, str],
    ) -> None:
        self.native = inventory.arch
        self.refused = dict(refused)
        self.installed: dict[str, str] = {}
        self._named: dict[str, list[str]] = {}
        for package in inventory.packages.packages:
            if package.state is not PackageState.RESIDUAL:
                self.installed[package.key] = package.version
                self._named.setdefault(package.name, []).append(package.key)
        self.of_source: dict[str, list[AvailableVersion]] = {}
        for version in offered.values():
            self.of_source.setdefault(version.source, []).append(version)

    def named(self, name: str) -> list[str]:
        return self._named.get(name, [])


class _FailedError(Exception):
    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.failure = Failure(reason, detail)


def close(
    inventory: Inventory,
    *,
    offered: Mapping[str, AvailableVersion],
    wanted: Collection[str],
    spare: Collection[str],
    refused: Mapping[str, str],
    new: Mapping[str, AvailableVersion],
    allow_new: bool,
) -> Closure:
    """The largest part of ``wanted`` that can be taken, with all that it needs.

    ``offered`` is the version of each available update by package key. Of those keys ``spare``
    may be taken where something needs them, and ``refused`` (why, in words) may not. ``new`` are
    packages that are not installed, likewise by key.
    """
    host = _Host(inventory, offered, refused)
    spares, news = Pool({key: offered[key] for key in spare}), Pool(new)
    failed: dict[str, Failure] = {}
    while True:
        alive = Pool({key: offered[key] for key in wanted if key not in failed})
        searches: dict[str, _Search] = {}
        fresh: dict[str, Failure] = {}
        for key, version in sorted(alive.versions.items()):
            search = _Search(host, alive, spares, news, allow_new=allow_new)
            try:
                search.run(key, version)
                searches[key] = search
            except _FailedError as error:
                fresh[key] = error.failure
        taken = {k: v for search in searches.values() for k, v in search.taken.items()}
        if not fresh:
            fresh = _discord(host, taken, searches)
        if not fresh:
            needed_by = {k: by for one in searches.values() for k, by in one.needed_by.items()}
            return Closure(taken, needed_by, failed)
        failed |= fresh
        host.refused |= {key: failure.reason.value for key, failure in fresh.items()}


def _discord(
    host: _Host, taken: Mapping[str, AvailableVersion], searches: Mapping[str, _Search]
) -> dict[str, Failure]:
    """Updates whose closure does not go together with all the others', in whose view it was not
    sought."""
    together, nothing = Pool(taken), Pool({})
    broken: dict[str, Failure] = {}
    for key, version in sorted(taken.items()):
        try:
            _Search(host, together, nothing, nothing, allow_new=False).run(key, version)
        except _FailedError as error:
            broken[key] = error.failure
    return {
        key: broken[member]
        for key, search in searches.items()
        for member in sorted(search.own & broken.keys())
    }


class _Search:
    """The closure of one update. ``alive`` are wanted as well; where one of them turns out to be
    impossible, everything is sought again without it."""

    def __init__(
        self, host: _Host, alive: Pool, spare: Pool, new: Pool, *, allow_new: bool
    ) -> None:
        self._host = host
        self._alive = alive
        self._spare = spare
        self._new = new
        self._allow_new = allow_new
        self._queue: list[str] = []
        self._taken = Pool({})
        self.own: set[str] = set()
        self.needed_by: dict[str, str] = {}

    @property
    def taken(self) -> Mapping[str, AvailableVersion]:
        return self._taken.versions

    def run(self, key: str, version: AvailableVersion) -> None:
        """Fill ``taken``, ``own`` (what only this search brought) and ``needed_by``, or raise
        :class:`_FailedError`."""
        self._take(key, version)
        while self._queue:
            version = self.taken[self._queue.pop()]
            for clause in (*parse(version.pre_depends), *parse(version.depends)):
                self._need(version, clause)
            for clause in (*parse(version.breaks), *parse(version.conflicts)):
                for relation in clause:
                    self._avoid(version, relation)
            for partner in self._partners(version):
                self._move(partner, version, f"{partner} must change with {version.name}")

    def _take(self, key: str, version: AvailableVersion) -> None:
        """Another wanted update is only relied on: its own search follows what it needs."""
        if key not in self.taken:
            self._taken.add(key, version)
            if not self.own or key not in self._alive.versions:
                self.own.add(key)
                self._queue.append(key)

    def _require(self, key: str, version: AvailableVersion, by: AvailableVersion) -> None:
        self.needed_by.setdefault(key, by.name)
        self._take(key, version)

    def _after(self, key: str) -> AvailableVersion | None:
        """What an installed package is about to change to, None where it stays."""
        return self.taken.get(key) or self._alive.versions.get(key)

    def _move(self, key: str, by: AvailableVersion, why: str) -> None:
        """Take the update of ``key``, or fail with ``why``."""
        after = self._after(key)
        if after is not None:
            self._take(key, after)
        elif key in self._spare.versions:
            self._require(key, self._spare.versions[key], by)
        else:
            raise _FailedError(Reason.BLOCKED, f"{why}: {self._left_out(key)}")

    def _need(self, version: AvailableVersion, clause: Clause) -> None:
        """Meet the clause with what is there, else with what may come."""
        if any(self._is_met(version, relation) for relation in clause):
            return
        for pool in (self._spare, self._new):
            for relation in clause:
                for key in self._meeting(pool, relation, version):
                    if pool is self._new and not self._allow_new:
                        name = pool.versions[key].name
                        detail = f"{version.name} needs {name}, which is not installed"
                        raise _FailedError(Reason.INSTALLS, detail)
                    self._require(key, pool.versions[key], version)
                    return
        if not any(self._is_virtual(relation) for relation in clause):
            raise _FailedError(Reason.BLOCKED, self._unmet(clause, version))

    def _is_met(self, version: AvailableVersion, relation: Relation) -> bool:
        """By an installed package, or by another change, which then belongs to this closure."""
        for key in self._of_arch(self._host.named(relation.name), relation, version):
            now, after = self._host.installed[key], self._after(key)
            if relation.allows(now if after is None else after.version):
                if after is not None and not relation.allows(now):
                    self._take(key, after)
                return True
        for key in self._meeting(self._alive, relation, version):
            self._take(key, self._alive.versions[key])
            return True
        return any(True for _ in self._meeting(self._taken, relation, version))

    def _meeting(self, pool: Pool, relation: Relation, version: AvailableVersion) -> Iterator[str]:
        for key in self._of_arch(pool.named(relation.name), relation, version):
            if relation.allows(pool.versions[key].version):
                yield key
        yield from self._of_arch(pool.providing(relation), relation, version)

    def _of_arch(
        self, keys: Sequence[str], relation: Relation, version: AvailableVersion
    ) -> Sequence[str]:
        """Those of the architecture that is asked for; others only where there are none, for
        whether they may serve is not in the inventory."""
        arch = self._host.native if version.arch == "all" else version.arch
        if relation.arch not in ("", "any", "native"):
            arch = relation.arch
        return [key for key in keys if key.rpartition(":")[2] in (arch, "all")] or keys

    def _is_virtual(self, relation: Relation) -> bool:
        known = (
            self._host.named(relation.name)
            or self._alive.named(relation.name)
            or self._spare.named(relation.name)
            or self._new.named(relation.name)
        )
        return not (relation.op or known or self._refused(relation.name))

    def _refused(self, name: str) -> str:
        """The key of a package that is left out, empty where there is none of the name."""
        return next((key for key in self._host.refused if key.rpartition(":")[0] == name), "")

    def _avoid(self, version: AvailableVersion, relation: Relation) -> None:
        """What the package cannot live with changes along, and is never removed."""
        for key in self._host.named(relation.name):
            if key.rpartition(":")[0] != version.name and relation.allows(
                self._host.installed[key]
            ):
                after = self._after(key) or self._spare.versions.get(key)
                if after is None or relation.allows(after.version):
                    detail = f"{version.name} would remove {key} {self._host.installed[key]}"
                    raise _FailedError(Reason.REMOVES, detail)
                self._move(key, version, f"{version.name} cannot be with {relation}")
        for pool in (self._taken, self._alive):
            for key in (*pool.named(relation.name), *pool.providing(relation)):
                other = pool.versions[key]
                if other.name == version.name or (
                    other.name == relation.name and not relation.allows(other.version)
                ):
                    continue
                if key not in self._host.installed or other.name == relation.name:
                    detail = f"{version.name} and {other.name} {other.version} exclude each other"
                    raise _FailedError(Reason.REMOVES, detail)

    def _partners(self, version: AvailableVersion) -> Iterator[str]:
        """Installed packages that only go with one version of this one: itself in another
        architecture, and those of its source whose new version says so, as the old one will."""
        for key in self._host.named(version.name):
            if key != version.key and self._host.installed[key] != version.version:
                yield key
        for other in self._host.of_source.get(version.source, ()):
            clauses = (*parse(other.pre_depends), *parse(other.depends))
            if other.key != version.key and any(
                relation.name == version.name
                and relation.is_upper_bound
                and (other.arch == version.arch or "all" in (other.arch, version.arch))
                for clause in clauses
                for relation in clause
            ):
                yield other.key

    def _unmet(self, clause: Clause, version: AvailableVersion) -> str:
        if not clause:
            return f"{version.name} has a dependency that cannot be read"
        relation = clause[0]
        needs = f"{version.name} needs {' | '.join(str(one) for one in clause)}"
        for key in self._of_arch(self._host.named(relation.name), relation, version):
            return f"{needs}: {self._left_out(key)}"
        if key := self._refused(relation.name):
            return f"{needs}: {self._left_out(key)}"
        return f"{needs}, which no enabled archive offers"

    def _left_out(self, key: str) -> str:
        installed = self._host.installed.get(key)
        stays = f"{key} stays at {installed}" if installed else f"{key} is left out"
        return f"{stays} ({self._host.refused.get(key) or 'nothing newer is on offer'})"
