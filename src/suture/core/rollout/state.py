"""What is known of a rollout, what a person may say to it, and what may be done next."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, UnsetType

from suture.core.documents import Document
from suture.core.evidence import Verdict
from suture.core.planning.plan import HeldBack
from suture.core.rollout.approvals import Approval
from suture.core.rollout.ways_back import AskedBack, WayBack


class HostPhase(StrEnum):
    WAITING = "waiting"  # not started
    FETCHING = "fetching"  # not started; its packages are brought to it ahead of time
    PATCHING = "patching"  # enqueued or at work
    DONE = "done"  # patched and verified
    SKIPPED = "skipped"  # left alone, nothing was changed
    FAILED = "failed"  # changed, and not well: needs the way back
    ROLLING_BACK = "rolling-back"
    ROLLED_BACK = "rolled-back"
    ROLLBACK_FAILED = "rollback-failed"
    LOST = "lost"  # its state could not be established

    @property
    def is_to_come(self) -> bool:
        """Nothing was begun on it that could change what it does."""
        return self in (HostPhase.WAITING, HostPhase.FETCHING)

    @property
    def is_at_work(self) -> bool:
        return self in (HostPhase.PATCHING, HostPhase.ROLLING_BACK)

    @property
    def is_final(self) -> bool:
        return self in (
            HostPhase.DONE,
            HostPhase.SKIPPED,
            HostPhase.ROLLED_BACK,
            HostPhase.ROLLBACK_FAILED,
            HostPhase.LOST,
        )

    @property
    def is_failure(self) -> bool:
        """A host that was taken back has failed as well: the patch did not do there."""
        return self in (
            HostPhase.FAILED,
            HostPhase.ROLLING_BACK,
            HostPhase.ROLLED_BACK,
            HostPhase.ROLLBACK_FAILED,
            HostPhase.LOST,
        )

    @property
    def is_out(self) -> bool:
        """Whether it has to be counted as not serving; unknown counts."""
        return self.is_at_work or self in (
            HostPhase.FAILED,
            HostPhase.ROLLBACK_FAILED,
            HostPhase.LOST,
        )


class RolloutStatus(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"  # nothing new is started; a person decides
    ABORTED = "aborted"  # nothing new is ever started
    DONE = "done"


class Stood(Document, frozen=True):
    """How a host stood when a person asked for its way back; see :class:`HostState`."""

    phase: HostPhase
    way_back: WayBack | UnsetType = UNSET


class HostState(Document, frozen=True, gc=False):
    """``attempt`` counts from 0 and is part of the fence; ``reason`` explains the phase.
    ``way_back`` is there where a person asked for it. ``suspects`` are the source packages that its
    steps held responsible for a failure. One that was ``away`` was skipped for not answering.
    ``stood`` is where it goes on from when the way back that was asked for last changes nothing.
    ``fetched`` is there once its packages were to be brought to it ahead of time: whether they
    were.
    """

    host: str
    phase: HostPhase = HostPhase.WAITING
    attempt: int = 0
    since: datetime | None = None
    reason: str = ""
    way_back: WayBack | UnsetType = UNSET
    suspects: tuple[str, ...] | UnsetType = UNSET
    away: bool | UnsetType = UNSET
    stood: Stood | UnsetType = UNSET
    fetched: bool | UnsetType = UNSET


class ClosedWave(Document, frozen=True):
    """A finished wave, and when it finished: the soak counts from there."""

    index: int
    at: datetime


class GateState(Document, frozen=True):
    """The looks at a wave: how many were begun and done, and when the last was begun. A verdict
    other than a pass holds the rollout until a person has ``accepted`` it."""

    wave: int
    begun: int = 0
    done: int = 0
    begun_at: datetime | None = None
    verdict: Verdict | None = None
    reason: str = ""
    accepted: bool = False

    @property
    def is_looking(self) -> bool:
        return self.begun > self.done

    @property
    def holds(self) -> bool:
        """Whether it has a verdict that a person has to accept."""
        return self.verdict not in (None, Verdict.PASS) and not self.accepted


class RolloutState(Document, frozen=True):
    """``approvals`` are those given so far, ``approved`` waves that were let pass before approvals
    were recorded with their person. ``reason`` says why it is paused or aborted; ``tolerated`` are
    the hosts whose failure or skip a person has accepted by resuming. ``asked`` are the hosts that
    wait to go back, in the order of the waves. ``started_by`` is the actor. ``taking_back`` are the
    waves whose patched hosts all have to be taken back, until a person resumes. ``held_back`` is
    what failed on a host of this rollout and is installed on no other.
    """

    rollout: str
    plan: str
    status: RolloutStatus
    hosts: tuple[HostState, ...]
    closed: tuple[ClosedWave, ...] = ()
    approved: tuple[int, ...] = ()
    reason: str = ""
    tolerated: tuple[str, ...] = ()
    asked: tuple[AskedBack, ...] = ()
    approvals: tuple[Approval, ...] = ()
    started_by: str = ""
    taking_back: tuple[int, ...] = ()
    held_back: tuple[HeldBack, ...] = ()
    gates: tuple[GateState, ...] = ()


class Signal(StrEnum):
    """What a person says to a running rollout."""

    PAUSE = "pause"
    RESUME = "resume"
    APPROVE = "approve"
    ABORT = "abort"


class ActionKind(StrEnum):
    START_HOST = "start-host"
    FETCH_HOST = "fetch-host"
    ROLL_BACK_HOST = "roll-back-host"
    HOLD_BACK = "hold-back"
    LEAVE_OUT = "leave-out"
    CLOSE_WAVE = "close-wave"
    LOOK = "look"
    PAUSE = "pause"
    FINISH = "finish"
    WAIT = "wait"


class NextAction(Document, frozen=True, gc=False):
    """``until`` is when a WAIT ends by itself, None where a person or a host must act. With a
    PAUSE, ``take_back`` are the waves whose patched hosts are taken back; ``held`` is what a
    HOLD_BACK holds back, ``look`` the number of a LOOK at the wave. A WAIT ``elsewhere`` is for
    hosts of other rollouts."""

    kind: ActionKind
    reason: str
    host: str = ""
    wave: int | None = None
    until: datetime | None = None
    take_back: tuple[int, ...] = ()
    held: HeldBack | None = None
    look: int | None = None
    elsewhere: bool = False
