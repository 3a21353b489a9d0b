"""Plans at random: waves, services, jump hosts, gates, windows and a freeze, of up to a dozen
hosts."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from suture.core.planning.gates import Alerts, Canary, Gate, Source
from suture.core.planning.plan import CatchUp, LeftOut, OnFailure, Plan, Slot, Timetable
from suture.core.planning.windows import Freeze, Window
from tests.unit.core.builders import NOW, change, plan, wave, with_host

ALERTS = Gate(30.0, alerts=Alerts("http://127.0.0.1:9093"))
CANARY = Gate(30.0, Canary(Source.PROC, 0.2))

# When each window is open, in minutes after NOW on every day; each host has some, or needs none.
MINUTES = {"now": (0, 3), "late": (5, 8), "long": (20, 80)}
FROZEN = 2 * 24 * 60  # in two days, all day long from midnight


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    names = [f"h{n}" for n in range(draw(st.integers(1, 12)))]
    cuts = sorted(draw(st.sets(st.integers(1, len(names)), max_size=2)) | {0, len(names)})
    waves = [
        wave(
            index,
            names[begin:end],
            parallel=draw(st.integers(1, 4)),
            max_failures=draw(st.integers(0, 2)),
            soak_s=draw(st.sampled_from([0.0, 60.0])),
            approval=draw(st.booleans()),
            on_failure=draw(st.sampled_from([UNSET, *OnFailure])),
            min_verified=draw(st.sampled_from([UNSET, 50, 100])),
            wait_s=draw(st.sampled_from([UNSET, UNSET, 45.0])),
            gate=draw(st.sampled_from([UNSET, UNSET, ALERTS, CANARY])),
        )
        for index, (begin, end) in enumerate(pairwise(cuts))
    ]
    services = {
        service: (names[offset::3], draw(st.integers(1, 2)))
        for offset, service in enumerate(("web", "db"))
        if names[offset::3]
    }
    unknown = tuple(LeftOut(n, "unreachable", unknown=True) for n in draw(st.sets(st.just("gone"))))
    if unknown and "web" in services:
        services["web"] = ([*services["web"][0], "gone"], services["web"][1])
    jumps = {name: "jump" for name in names if draw(st.booleans())}
    whole = plan(
        waves,
        services,
        left_out=unknown,
        jumps=jumps,
        jump_limits=(("jump", draw(st.integers(1, 3))),),
        rollback_on_failure=draw(st.booleans()),
        max_held_back=draw(st.sampled_from([UNSET, 0, 1, 2])),
        catch_up=draw(st.sampled_from([UNSET, CatchUp(2, 30.0), CatchUp(3, 120.0)])),
        predownload_s=draw(st.sampled_from([UNSET, 60.0, 7200.0])),
    )
    for name in names[::2]:
        whole = with_host(whole, name, changes=(change("nginx"), change("openssl")))
    return draw(times(whole)) if draw(st.booleans()) else whole


def opens(name: str) -> Window:
    begin, end = MINUTES[name]
    at = NOW + timedelta(minutes=begin)
    return Window(name=name, rule="FREQ=DAILY", start=f"{at:%H:%M}", duration=f"{end - begin}m")


@st.composite
def times(draw: st.DrawFn, whole: Plan) -> Plan:
    freeze = Freeze(name="f", days=((NOW + timedelta(minutes=FROZEN)).date(),))
    slots = tuple(
        Slot(
            host=host.host,
            windows=draw(st.lists(st.sampled_from(sorted(MINUTES)), unique=True).map(tuple)),
            freezes=draw(st.sampled_from([(), ("f",)])),
            exploited=False,
            takes_s=draw(st.sampled_from([30.0, 90.0])),
            reserve_s=draw(st.sampled_from([30.0, 90.0])),
        )
        for host in whole.hosts
    )
    return replace(whole, timetable=Timetable(tuple(map(opens, MINUTES)), (freeze,), slots))
