"""All that can happen to one server, as a small model: the row, the world, and who is in the middle of what.

The row's rules are the real ones: `decide` chooses, and `Server` says what people may ask
for. What the model adds is what the steps do to row and world, and that anything may happen
between doing and recording: people change their minds, the program ends, the hub dies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from apphub.kit.addresses import Address
from apphub.reconcile.decide import Seen, Standing, Step, decide
from apphub.runtimes.base import Life
from apphub.servers.model import LIVE, Phase, Server, ServerKey, Wanted

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: Starts that people ask for; each is a new attempt, and more of them are more of the same.
ATTEMPTS = 3


class Doing(NamedTuple):
    """A step that has been done and not been recorded."""

    step: Step
    attempt: int
    reason: bool
    failed: bool = False


class Program(NamedTuple):
    """A runtime object."""

    attempt: int
    alive: bool
    answers: bool


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything there is to know at one moment."""

    wanted: Wanted = Wanted.STOPPED
    attempt: int = 0
    phase: Phase = Phase.STOPPED
    phase_attempt: int = 0
    reason: bool = False
    #: It has a place: at rest, the newest attempt was let in.
    placed: bool = False
    routed: int | None = None
    overdue: bool = False
    programs: frozenset[Program] = frozenset()
    #: Attempts that were launched at least once.
    launched: frozenset[int] = frozenset()
    doing: Doing | None = None
    #: The row is gone.
    forgotten: bool = False

    @property
    def server(self) -> Server:
        """The row, as the code reads it."""
        return Server(
            id=1,
            user_id=1,
            key=ServerKey("ada", "lab"),
            display_name="",
            created=NOW,
            wanted=self.wanted,
            attempt=self.attempt,
            options=None,
            plan=None,
            requested=NOW,
            phase=self.phase,
            phase_attempt=self.phase_attempt,
            reason="why" if self.reason else None,
            admitted=NOW if self.placed else None,
            place="here" if self.placed else None,
            address=Address("127.0.0.1", 20000) if self.placed else None,
            routed_attempt=self.routed,
            last_activity=None,
        )

    def program(self, attempt: int) -> Program | None:
        """The object of an attempt."""
        return next((one for one in self.programs if one.attempt == attempt), None)

    def without(self, attempt: int) -> frozenset[Program]:
        """All objects but this attempt's."""
        return frozenset(one for one in self.programs if one.attempt != attempt)

    def seen(self) -> Seen:
        """What the driver and the probe say, asked as `Steps.observe` asks."""
        if self.phase not in LIVE or (found := self.program(self.phase_attempt)) is None:
            return Seen(Life.ABSENT)
        return Seen(Life.RUNNING, found.answers) if found.alive else Seen(Life.EXITED)

    def choice(self) -> tuple[Step, str | None]:
        """What `decide` says."""
        server = self.server
        standing = Standing(
            wanted=server.wanted,
            phase=server.phase,
            asked_again=server.asked_again,
            overdue=self.overdue,
            placed=self.placed,
        )
        return decide(standing, self.seen())


# -- what people do ------------------------------------------------------------------------


def asks(now: Moment) -> Iterator[Moment]:
    """Start, restart, stop, remove: as `servers/actions` lets people do it."""
    server = now.server
    if server.ready and now.attempt < ATTEMPTS:
        yield replace(now, attempt=now.attempt + 1)
    if not server.active and now.attempt < ATTEMPTS:
        yield replace(now, wanted=Wanted.RUNNING, attempt=now.attempt + 1)
    if server.active:
        yield replace(now, wanted=Wanted.STOPPED)
        yield replace(now, wanted=Wanted.REMOVED)
    elif now.wanted is not Wanted.REMOVED:
        yield replace(now, forgotten=True)  # deleted at once: nothing runs


# -- what the hub does ---------------------------------------------------------------------


def admit(now: Moment) -> Moment | None:
    """Let it in, when it waits for that."""
    return replace(now, placed=True, overdue=False, reason=False) if now.server.waits else None


def publish(now: Moment) -> Moment | None:
    """Make the edges' table what the rows say, and write that down."""
    routed = now.phase_attempt if now.phase is Phase.READY else None
    return replace(now, routed=routed) if routed != now.routed else None


def act(now: Moment) -> Iterator[Moment]:
    """Do what `decide` chooses, without recording it."""
    step, why = now.choice()
    resting = now.phase not in LIVE
    attempt = now.attempt if resting else now.phase_attempt
    doing = Doing(step, attempt, bool(why))
    match step:
        case Step.LAUNCH:
            yield replace(now, doing=doing, **_created(now, attempt))  # type: ignore[arg-type]
            yield replace(now, doing=doing._replace(failed=True, reason=True))
        case Step.DELETE:
            yield replace(now, doing=doing, programs=now.without(attempt))
        case Step.REST:
            # Of what people wanted stopped the reason says why, not that it failed.
            yield replace(now, doing=doing._replace(reason=now.reason and now.wanted is Wanted.RUNNING))
        case Step.FORGET:
            if now.routed is None:  # it waits for the edges before it forgets
                yield replace(now, doing=doing)
        case Step.WAIT:
            return
        case _:
            yield replace(now, doing=doing)


def _created(now: Moment, attempt: int) -> dict[str, object]:
    if now.program(attempt) is not None:
        return {"reason": False}  # `create` returns what is there
    assert attempt not in now.launched, f"launched twice: {now}"
    born = Program(attempt, alive=True, answers=False)
    return {
        "programs": now.programs | {born},
        "launched": now.launched | {attempt},
        "reason": False,
    }


def record(now: Moment) -> Moment:
    """Write down what was done."""
    assert now.doing is not None
    step, attempt, reason, failed = now.doing
    now = replace(now, doing=None)
    match step:
        case Step.LAUNCH if failed:
            return replace(now, phase=Phase.STOPPING, phase_attempt=attempt, reason=True)
        case Step.LAUNCH:
            return replace(now, phase=Phase.STARTING, phase_attempt=attempt)
        case Step.READY:
            return replace(now, phase=Phase.READY)
        case Step.STOP:
            return replace(now, phase=Phase.STOPPING, phase_attempt=attempt, reason=reason)
        case Step.REST:
            return replace(now, phase=Phase.FAILED if reason else Phase.STOPPED, placed=False)
        case Step.FORGET if now.wanted is Wanted.REMOVED:
            return replace(now, forgotten=True)
        case _:
            return now


# -- what the world does -------------------------------------------------------------------


def happens(now: Moment) -> Iterator[Moment]:
    """Programs begin to answer, end by themselves, or vanish with the machine; time passes."""
    for one in now.programs:
        rest = now.without(one.attempt)
        if one.alive:
            yield replace(now, programs=rest | {one._replace(alive=False, answers=False)})
            if not one.answers:
                yield replace(now, programs=rest | {one._replace(answers=True)})
        # A machine that starts anew has forgotten the object: launching again is no second launch.
        yield replace(now, programs=rest, launched=now.launched - {one.attempt})
    if now.phase is Phase.STARTING and not now.overdue:
        yield replace(now, overdue=True)


def next_moments(now: Moment) -> Iterator[Moment]:
    """Everything that can happen next, the death of the hub included."""
    if now.forgotten:
        return
    yield from asks(now)
    yield from happens(now)
    if (published := publish(now)) is not None:
        yield published
    if now.doing is not None:
        yield record(now)
        yield replace(now, doing=None)  # the hub died before it could
        return
    if (admitted := admit(now)) is not None:
        yield admitted
    yield from act(now)


def all_lives() -> set[Moment]:
    """Every moment that can be reached."""
    found = {Moment()}
    fresh = [Moment()]
    while fresh:
        for moment in next_moments(fresh.pop()):
            if moment not in found:
                found.add(moment)
                fresh.append(moment)
    return found


def left_alone(now: Moment, *, lucky: bool, steps: int = 40) -> Moment:
    """Where it comes to rest when nobody asks for anything more and the hub lives.

    In the lucky world programs answer as soon as they are looked at; in the stuck one they
    never do, and time passes.
    """
    for _ in range(steps):
        before = now
        if now.forgotten:
            return now
        if now.doing is not None:
            now = record(now)
            continue
        now = publish(now) or admit(now) or now
        if (after := next(act(now), None)) is not None:
            now = after
        elif now.choice()[0] is Step.WAIT and now.phase is Phase.STARTING:
            now = _passes(now, lucky)
        if now == before:
            return now
    raise AssertionError(f"it never rests: {now}")


def _passes(now: Moment, lucky: bool) -> Moment:
    found = now.program(now.phase_attempt)
    if lucky and found is not None and found.alive:
        return replace(now, programs=now.without(found.attempt) | {found._replace(answers=True)})
    return replace(now, overdue=True)
