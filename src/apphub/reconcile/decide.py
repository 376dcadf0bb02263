"""What the reconciler does next with one server: a pure choice, total over all that can be.

                   launch               answers
        STOPPED ───────────▶ STARTING ───────────▶ READY
           ▲ ▲                  │ exits, overdue,    │ gone, or not wanted
           │ │  nothing left    ▼ or not wanted      ▼
           │ └────────────── STOPPING ◀──────────────┘
           │                    │ nothing left, and there was a reason
           └── not wanted ── FAILED ── asked again ──▶ STARTING

A start that is no longer wanted once it was let in goes by STOPPING too, though STARTING was
never recorded: what it may have launched must be found and ended.

Each step may be repeated safely: the hub can die between doing it and recording it.
"""

from __future__ import annotations

from enum import Enum
from typing import assert_never

from msgspec import Struct

from apphub.runtimes.base import Life
from apphub.servers.model import Phase, Wanted


class Step(Enum):
    """What to do."""

    #: Create the runtime object of the newest attempt, then record STARTING.
    LAUNCH = "launch"
    #: It answers: record READY.
    READY = "ready"
    #: Record STOPPING (with the reason, if there is one).
    STOP = "stop"
    #: Delete the runtime object; stay in STOPPING until nothing is left.
    DELETE = "delete"
    #: Nothing is left: record STOPPED, or FAILED where there was a reason.
    REST = "rest"
    #: Nothing is left and nobody wants the row: delete it.
    FORGET = "forget"
    #: Look again later, or when something happens.
    WAIT = "wait"


class Standing(Struct, frozen=True):
    """Everything of the row that the choice depends on."""

    wanted: Wanted
    phase: Phase
    #: The newest attempt has not begun.
    asked_again: bool
    #: The time for the start is over.
    overdue: bool
    #: It has a place and a port: a launch may have begun, recorded or not. At rest they are the newest attempt's,
    #: for nobody can ask for another while an older one has them.
    placed: bool


class Seen(Struct, frozen=True):
    """What the driver and the probe see."""

    life: Life
    answers: bool = False


def decide(standing: Standing, seen: Seen) -> tuple[Step, str | None]:
    """The next step, and for STOP the reason why it was not wanted by anybody."""
    wanted = standing.wanted is Wanted.RUNNING and not standing.asked_again
    match standing.phase:
        case Phase.STOPPED | Phase.FAILED:
            return _at_rest(standing), None
        case Phase.STARTING:
            if not wanted:
                return Step.STOP, None
            if seen.life is not Life.RUNNING:
                return Step.STOP, "ended"
            if seen.answers:
                return Step.READY, None
            return (Step.STOP, "overdue") if standing.overdue else (Step.WAIT, None)
        case Phase.READY:
            if not wanted:
                return Step.STOP, None
            # A slow answer never kills: only the object's end counts.
            return (Step.WAIT, None) if seen.life is Life.RUNNING else (Step.STOP, "gone")
        case Phase.STOPPING:
            if seen.life is not Life.ABSENT:
                return Step.DELETE, None
            return (Step.FORGET if standing.wanted is Wanted.REMOVED else Step.REST), None
        case _:
            assert_never(standing.phase)


def _at_rest(standing: Standing) -> Step:
    if standing.placed and standing.wanted is not Wanted.RUNNING:
        # Let in, and no longer wanted: a hub may have launched it and died before recording that.
        return Step.STOP
    match standing.wanted:
        case Wanted.RUNNING:
            return Step.LAUNCH if standing.asked_again and standing.placed else Step.WAIT
        case Wanted.STOPPED:
            return Step.WAIT
        case Wanted.REMOVED:
            return Step.FORGET
        case _:
            assert_never(standing.wanted)
