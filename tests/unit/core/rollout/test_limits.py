"""What other rollouts are at work on takes places here."""

from suture.core.rollout import transitions
from suture.core.rollout.limits import Elsewhere
from suture.core.rollout.progress import ActionKind, NextAction, next_actions
from tests.unit.core import builders
from tests.unit.core.builders import NOW

JUMP = "ops@bastion"


def _next(elsewhere: Elsewhere) -> tuple[NextAction, ...]:
    plan = builders.plan(
        [builders.wave(0, ["web1", "web2", "web3"])],
        services={"shop": (["web1", "web9"], 1)},
        jumps={"web2": JUMP},
        jump_limits=((JUMP, 1),),
    )
    return next_actions(plan, transitions.start(plan, "r1"), NOW, elsewhere)


def _started(elsewhere: Elsewhere) -> list[str]:
    return [one.host for one in _next(elsewhere) if one.kind is ActionKind.START_HOST]


def test_without_others_all_start() -> None:
    assert _started(Elsewhere()) == ["web1", "web2", "web3"]


def test_the_fleets_limit_holds_over_rollouts() -> None:
    assert _started(Elsewhere((("db1", ""),), 3)) == ["web1", "web2"]
    (wait,) = _next(Elsewhere((("db1", ""), ("db2", "")), 2))
    assert wait.kind is ActionKind.WAIT
    assert wait.elsewhere
    assert wait.reason == "2 hosts of other rollouts are at work, 2 may be in all"


def test_a_member_of_the_service_that_is_out_elsewhere_is_out() -> None:
    assert _started(Elsewhere((("web9", ""),))) == ["web2", "web3"]


def test_connections_of_a_jump_host_are_shared() -> None:
    assert _started(Elsewhere((("db1", JUMP),))) == ["web1", "web3"]


def test_what_others_will_free_is_waited_for_and_no_reason_to_pause() -> None:
    plan = builders.plan([builders.wave(0, ["web1"])], services={"shop": (["web1", "web9"], 1)})
    state = transitions.start(plan, "r1")
    (wait,) = next_actions(plan, state, NOW, Elsewhere((("web9", ""),)))
    assert (wait.kind, wait.elsewhere) == (ActionKind.WAIT, True)
    assert "service shop" in wait.reason
