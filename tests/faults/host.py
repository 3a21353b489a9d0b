"""A pretend host: it answers Suture's scripts as the shell would, without one.

It keeps what ``start.sh``, ``runner.sh`` and ``follow.sh`` keep (fence, transactions, one at work
at a time, boot id) and knows what each step does to a host. ``test_model.py`` holds it to the real
scripts. A host belongs to nobody's process: what it was told to do goes on whoever dies.
"""

from __future__ import annotations

import asyncio
import hashlib
import shlex
import time
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from suture.core.documents import Document
from suture.hosts.shell import source
from suture.hosts.transport import Result
from tests.faults.records import Record

BEFORE = "1.22.1-9"
_STEPS = {
    "acquire": "acquire",
    "bundle": "bundle",
    "apply": "apply",
    "restart-main": "restart",
    "reboot": "reboot",
    "rollback": "roll-back",
}
_BUSY = 75
_DOWN_S = 0.2


class DownError(Exception):
    """Nobody answers."""


class Flaws(Document, frozen=True):
    """What goes wrong on a host. ``fails`` is the step that does; ``full`` the one during which its
    disk fills up; ``reboots`` the one in which it reboots by itself, once. ``pace_s`` is how long
    each half of a transaction takes.

    ``no_fence`` and ``no_probe`` break the protocol itself, for the test of the tests.
    """

    fails: str = ""
    full: str = ""
    reboots: str = ""
    pace_s: float = 0.01
    no_fence: bool = False
    no_probe: bool = False


@dataclass
class _Transaction:
    id: str
    step: str
    values: Mapping[str, str]
    boot: str
    started: int
    controller: int
    exit: int | None = None
    ended: int | None = None
    result: str = ""
    log: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def say(self, *fields: str) -> None:
        self.result += "\t".join(fields) + "\n"


class PretendHost:
    """Used within one event loop; ``record`` is shared with the other hosts."""

    def __init__(self, name: str, record: Record, flaws: Flaws) -> None:
        self.name = name
        self.flaws = flaws
        self.version = BEFORE
        self.half_installed = False
        self.in_memory = BEFORE  # of what is never restarted
        self.boot = str(uuid.uuid4())
        self.fence = 0
        self.bundles: set[str] = set()
        self.transactions: dict[str, _Transaction] = {}
        self._record = record
        self._at_work: _Transaction | None = None
        self._up = asyncio.Event()
        self._up.set()
        self._rebooted = False
        self._later: set[asyncio.Task[None]] = set()

    async def answer(self, script: str, stdin: bytes, controller: int) -> Result:
        """What the script would print. Raises :class:`DownError`."""
        if not self._up.is_set():
            raise DownError(self.name)
        boot = self.boot
        result = await self._answer(script, stdin, controller)
        if boot != self.boot or not self._up.is_set():
            raise DownError(self.name)  # the reboot took whoever asked along
        return result

    async def _answer(self, script: str, stdin: bytes, controller: int) -> Result:
        values = _header(script)
        if script.endswith(source("follow")):
            refused = 0
            if source("start") in script:
                refused = self._start(values, stdin, controller)
            return await self._report(values, refused)
        if script.endswith(source("preflight")):
            return self._preflight(values)
        if script.endswith(source("verify")):
            return self._verify(values)
        if script.endswith(source("verify-rollback")):
            return self._verify_rollback(values)
        if script.endswith(source("reboot-back")):
            return self._reboot_back(values)
        if script.startswith("cat /proc/sys/kernel/random/boot_id"):
            return Result(0, f"{self.boot}\n".encode(), b"")
        return Result(0, b"end\n", b"")

    def _start(self, values: Mapping[str, str], stdin: bytes, controller: int) -> int:
        """The fence that refuses, 0 where none does."""
        number, fence = values["TX"], int(values["FENCE"])
        assert hashlib.sha256(stdin).hexdigest() == values["SCRIPT_SHA256"]
        script = stdin.decode()
        step = next((_STEPS[n] for n in _STEPS if script.endswith(source(n))), "other")
        if step == "acquire" and _header(script).get("LONGEST_S", "0") != "0":
            step = "fetch"
        told: dict[str, Any] = {
            "transaction": number,
            "step": step,
            "fence": fence,
            "controller": controller,
        }
        if fence < self.fence and not self.flaws.no_fence:
            self._record.add(self.name, "refused", **told)
            return self.fence
        self.fence = max(fence, self.fence)
        if number in self.transactions and not self.flaws.no_probe:
            self._record.add(self.name, "asked", **told)
            return 0
        one = _Transaction(number, step, _header(script), self.boot, int(time.time()), controller)
        self.transactions[number] = one
        if self._at_work is not None:
            self._end(one, _BUSY)
            return 0
        self._record.add(self.name, "began", **told)
        self._at_work = one
        one.task = asyncio.get_running_loop().create_task(self._run(one))
        return 0

    async def _report(self, values: Mapping[str, str], refused: int) -> Result:
        one = self.transactions.get(values["TX"])
        if one is not None and not refused:
            patience = min(float(values["WAIT_S"]), 2.0)
            waiting = asyncio.ensure_future(one.over.wait())
            await asyncio.wait([waiting], timeout=patience)
            waiting.cancel()
        state = "refused" if refused else self._state(one)
        log = one.log[int(values["OFFSET"]) :] if one else ""
        fields = {
            "id": values["TX"],
            "state": state,
            "fence": refused or self.fence,
            "exit": _text(one and one.exit),
            "started": _text(one and one.started),
            "ended": _text(one and one.ended),
            "boot_then": one.boot if one else "",
            "boot_now": self.boot,
            "result": len(one.result) if one else 0,
            "log": len(log),
        }
        head = "".join(f"{key} {value}\n" for key, value in fields.items())
        body = (one.result if one else "") + log
        return Result(0, f"suture-receipt 1\n{head}\n{body}".encode(), b"")

    def _state(self, one: _Transaction | None) -> str:
        if one is None:
            return "absent"
        if one.exit is not None:
            return "done"
        return "running" if one is self._at_work and one.boot == self.boot else "interrupted"

    async def _run(self, one: _Transaction) -> None:
        try:
            await asyncio.sleep(self.flaws.pace_s)
            if self.flaws.reboots == one.step and one.step != "apply":
                self._reboot_once()
                await asyncio.sleep(0)
            exit_status = await self._carry_out(one)
        finally:
            self._at_work = None
        self._end(one, exit_status)

    def _end(self, one: _Transaction, exit_status: int) -> None:
        one.exit, one.ended = exit_status, int(time.time())
        self._record.add(
            self.name,
            "ended",
            step=one.step,
            transaction=one.id,
            detail=str(exit_status),
            controller=one.controller,
        )
        one.over.set()

    async def _carry_out(self, one: _Transaction) -> int:
        if self.flaws.fails == one.step and one.step != "apply":
            one.say("reason", f"{one.step} fails on this host")
            return 1
        if self.flaws.full == one.step and one.step != "apply":
            one.say("reason", f"disk full: {one.step} needs 64 MiB on /var/lib/suture; make room")
            return 1
        match one.step:
            case "bundle":
                return self._bundle(one)
            case "apply":
                return await self._apply(one)
            case "reboot":
                one.say("rebooting", self.boot)
                self._soon(self.reboot())
            case "roll-back":
                return await self._roll_back(one)
        return 0

    def _bundle(self, one: _Transaction) -> int:
        _, _, before, _ = _change(one.values)
        if self.version != before:
            one.say("reason", f"nginx is {self.version}, the plan assumed {before}")
            return 1
        number = one.values["RETURN_ID"]
        self.bundles.add(number)
        self._record.add(self.name, "bundle", transaction=number, controller=one.controller)
        one.say("check", "return bundle", "pass", "4 KiB, read back")
        return 0

    async def _apply(self, one: _Transaction) -> int:
        _, _, _, after = _change(one.values)
        if one.values["RETURN_ID"] not in self.bundles:
            self._record.add(self.name, "no-bundle", transaction=one.id)
            one.say("reason", "no return bundle, no patch")
            return 1
        self._change(one)
        self.half_installed = True
        await asyncio.sleep(self.flaws.pace_s)
        if self.flaws.reboots == "apply":
            self._reboot_once()
            await asyncio.sleep(0)
        if "apply" in (self.flaws.fails, self.flaws.full):
            full = "No space left on device" if self.flaws.full else "dpkg: error"
            one.log += f"{full}\n"
            one.say("reason", f"apt-get ended with status 100: {full}")
            return 1
        self._install(after)
        return 0

    async def _roll_back(self, one: _Transaction) -> int:
        _, _, before, after = _change(one.values)
        if one.values["RETURN_ID"] not in self.bundles:
            one.say("reason", "there is no complete return bundle")
            return 1
        if self.version not in (before, after):
            one.say("reason", f"nginx is now {self.version}")
            return 1
        self._change(one)
        await asyncio.sleep(self.flaws.pace_s)
        self._install(before)
        return 0

    def _change(self, one: _Transaction) -> None:
        one.say("changing")
        self._record.add(
            self.name,
            "changing",
            step=one.step,
            transaction=one.id,
            detail=one.values["RETURN_ID"],
            controller=one.controller,
        )

    def _install(self, version: str) -> None:
        self.version, self.half_installed = version, False
        self._record.add(self.name, "version", detail=version)

    def _preflight(self, values: Mapping[str, str]) -> Result:
        name, arch, before, after = _change(values)
        fit = self.flaws.fails != "preflight"
        lines = [
            f"clock\t{time.time():.6f}",
            f"check\tlocks\t{'pass' if fit else 'fail'}\tnobody else is at work",
            f"installed\t{name}:{arch}\t{self.version}\t{self._status}",
            f"size\t{name}\t100\t100",
            "disk\t/\t/\t99999999",
            f"simulated\tInst {name} [{before}] ({after} Debian:12 [{arch}])",
            "end",
        ]
        return Result(0, "\n".join(lines).encode(), b"")

    def _verify(self, values: Mapping[str, str]) -> Result:
        name, arch, before, after = _change(values)
        lines = [f"logged\t{name}:{arch}\t{after}"]
        if (self.version, self.half_installed) != (before, False):
            lines += [
                f"package\t-\t{name}:{arch}\t{before}\tinstalled ok",
                f"package\t+\t{name}:{arch}\t{self.version}\t{self._status}",
            ]
        if self.flaws.fails == "verify":
            lines.append("failed-unit\tnginx.service\tnginx")
        elif (self.version, self.half_installed) == (after, False):
            self._record.add(self.name, "well", step="verify")
        return Result(0, "\n".join([*lines, "end"]).encode(), b"")

    def _verify_rollback(self, values: Mapping[str, str]) -> Result:
        name, arch, before, _ = _change(values)
        if values["RETURN_ID"] not in self.bundles:
            return Result(1, b"reason\tthere is no return bundle to compare with\n", b"")
        lines = []
        if self.in_memory != before:
            lines.append("stale\t1\tinit.scope\t/usr/lib/nginx\tsince")
        if (self.version, self.half_installed) != (before, False):
            lines.append(f"package\t+\t{name}:{arch}\t{self.version}\t{self._status}")
        else:
            self._record.add(self.name, "well", step="verify-roll-back")
        return Result(0, "\n".join([*lines, "end"]).encode(), b"")

    def _reboot_back(self, values: Mapping[str, str]) -> Result:
        _, _, before, _ = _change(values)
        back = self.transactions.get(values["BACK_ID"])
        lines = []
        if values["REBOOT_ID"] in self.transactions:
            lines.append("required\tit was begun already")
        if back and back.exit == 0 and self.in_memory != before:
            lines.append("required\tinit.scope still runs what was taken back")
        return Result(0, "\n".join([*lines, "end"]).encode(), b"")

    @property
    def _status(self) -> str:
        return "half-configured ok" if self.half_installed else "installed ok"

    def _reboot_once(self) -> None:
        if not self._rebooted:
            self._rebooted = True
            self._soon(self.reboot())

    async def reboot(self) -> None:
        """Power is cut: what is at work ends in the middle, and nobody answers for a while."""
        self._up.clear()
        self.boot = str(uuid.uuid4())
        one, self._at_work = self._at_work, None
        if one is not None and one.task is not None:
            one.task.cancel()
            self._record.add(
                self.name, "interrupted", step=one.step, transaction=one.id, detail=one.step
            )
            one.over.set()
        await asyncio.sleep(_DOWN_S)
        self.in_memory = self.version
        self._record.add(self.name, "boot", detail=self.boot)
        self._up.set()

    def _soon(self, act: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(act)
        self._later.add(task)
        task.add_done_callback(self._later.discard)


def _header(script: str) -> dict[str, str]:
    """The values that ``suture.hosts.shell.program`` put before the script."""
    head = script.partition(source("common"))[0]
    return dict(word.split("=", 1) for word in shlex.split(head) if "=" in word)


def _change(values: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Package, architecture, version before and after of the plan's only line."""
    name, arch, before, after, *_ = values["PLAN"].split()
    return name, arch, before, after


def _text(value: object) -> str:
    return "" if value is None else str(value)
