"""Whatever happens to a server, and wherever its hub dies, it ends where people want it, or says why not.

The state space is small, so all of it is walked: random tries miss what enumeration finds.
"""

from __future__ import annotations

import itertools

import pytest

from apphub.reconcile.decide import Seen, Standing, Step, decide
from apphub.runtimes.base import Life
from apphub.servers.model import LIVE, Phase, Wanted
from fakes.lives import Moment, act, all_lives, left_alone, next_moments, record


@pytest.fixture(scope="module")
def lives() -> set[Moment]:
    """Every moment that can be reached. Launching an attempt twice fails while they are walked."""
    found = all_lives()
    assert len(found) > 3_000, "the walk has become too small to mean anything"
    return found


def satisfied(end: Moment) -> bool:
    """Whether what is wanted is so, or the row says why it is not."""
    if end.forgotten:
        return not end.programs
    alive = {one.attempt for one in end.programs if one.alive}
    if end.wanted is not Wanted.RUNNING:
        return end.phase in (Phase.STOPPED, Phase.FAILED) and not alive and not end.placed
    if end.phase is Phase.READY:
        return alive == {end.attempt} == {end.phase_attempt} and end.server.ready
    # It failed with a reason, or ended by itself after it had been ready.
    return (
        end.phase in (Phase.STOPPED, Phase.FAILED)
        and end.phase_attempt == end.attempt
        and (end.reason or end.phase is Phase.STOPPED)
        and not alive
        and not end.placed
    )


@pytest.mark.parametrize("lucky", [True, False], ids=["lucky", "stuck"])
def test_every_life_comes_to_rest_where_people_want_it_or_says_why_not(
    lives: set[Moment], lucky: bool
) -> None:
    for moment in lives:
        end = left_alone(moment, lucky=lucky)
        assert satisfied(end), f"\nfrom {moment}\n to  {end}"


def test_a_program_of_another_attempt_never_outlives_the_start_of_the_next(lives: set[Moment]) -> None:
    for moment in lives:
        alive = {one.attempt for one in moment.programs if one.alive}
        assert len(alive) <= 1, moment


def test_a_row_is_never_forgotten_while_its_program_lives_or_an_edge_leads_there(lives: set[Moment]) -> None:
    for moment in lives:
        if moment.forgotten:
            assert not any(one.alive for one in moment.programs), moment
            assert moment.routed is None, moment


def test_nothing_is_called_ready_whose_program_has_not_answered(lives: set[Moment]) -> None:
    found = 0
    for moment in lives:
        if moment.forgotten or moment.doing is not None:
            continue
        for after in act(moment):
            if after.doing is not None and after.doing.step is Step.READY:
                program = moment.program(moment.phase_attempt)
                assert program is not None
                assert program.alive
                assert program.answers
                found += 1
    assert found


def test_a_step_done_twice_does_no_more_than_done_once(lives: set[Moment]) -> None:
    for moment in lives:
        if moment.forgotten or moment.doing is not None:
            continue
        for once in act(moment):
            died = Moment(**{**_fields(once), "doing": None})
            again = [_world(two) for two in act(died)] or [_world(died)]
            assert _world(once) in again, f"\nfrom {moment}\nonce {once}"


def test_a_slow_answer_never_stops_a_server_that_was_ready() -> None:
    standing = Standing(Wanted.RUNNING, Phase.READY, asked_again=False, overdue=True, placed=True)
    assert decide(standing, Seen(Life.RUNNING, answers=False)) == (Step.WAIT, None)


def test_a_choice_exists_for_every_combination_there_is() -> None:
    flags = (False, True)
    for wanted, phase, again, overdue, placed in itertools.product(Wanted, Phase, flags, flags, flags):
        standing = Standing(wanted, phase, again, overdue, placed)
        for life, answers in itertools.product(Life, flags):
            step, why = decide(standing, Seen(life, answers))
            assert (why is None) or step is Step.STOP
            assert step is not Step.LAUNCH or phase not in LIVE
            assert step is not Step.FORGET or wanted is Wanted.REMOVED


def test_a_launch_that_was_never_recorded_is_found_and_ended_when_nobody_wants_it_any_more() -> None:
    # The hub dies between starting the program and writing that down; its owner stops the server.
    start = next(moment for moment in next_moments(Moment()) if moment.attempt == 1)
    admitted = next(m for m in next_moments(start) if m.placed)
    launched = next(m for m in act(admitted) if m.programs)
    died = Moment(**{**_fields(launched), "doing": None})
    assert died.phase is Phase.STOPPED
    stopped = next(m for m in next_moments(died) if m.wanted is Wanted.STOPPED)
    assert stopped.server.pending == "stop"
    assert stopped.choice() == (Step.STOP, None)
    assert record(next(act(stopped))).phase_attempt == 1
    assert not left_alone(stopped, lucky=True).programs


def _fields(moment: Moment) -> dict[str, object]:
    return {name: getattr(moment, name) for name in Moment.__dataclass_fields__}


def _world(moment: Moment) -> tuple[object, ...]:
    return (moment.programs, moment.launched)
