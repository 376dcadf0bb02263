"""Ready, pending, stopped: what the API calls a server follows from its row, and never contradicts itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from apphub.servers.model import Phase, Server, Wanted
from fakes.lives import Moment


def _rows() -> Iterator[Server]:
    flags = (False, True)
    for wanted, phase, attempt, began, routed, placed in itertools.product(
        Wanted, Phase, (1, 2), (0, 1, 2), (None, 1, 2), flags
    ):
        if began <= attempt:
            yield replace(
                Moment(
                    wanted=wanted, phase=phase, attempt=attempt, phase_attempt=began, routed=routed
                ).server,
                place="here" if placed else None,
            )


def test_no_row_is_two_things_at_once() -> None:
    for server in _rows():
        assert not (server.ready and server.pending), server
        assert not (server.failed and server.active), server
        assert server.active == (server.ready or server.pending is not None)


def test_ready_means_wanted_running_answering_and_known_to_every_edge() -> None:
    for server in _rows():
        if server.ready:
            assert server.wanted is Wanted.RUNNING
            assert server.phase is Phase.READY
            assert server.attempt == server.phase_attempt == server.routed_attempt


def test_what_nobody_wants_is_never_on_its_way_up_and_what_is_asked_for_is() -> None:
    for server in _rows():
        if server.wanted is not Wanted.RUNNING:
            assert server.pending != "spawn", server
        if server.asked_again and server.phase in (Phase.STOPPED, Phase.FAILED):
            assert server.pending == "spawn", server


@pytest.mark.parametrize(
    ("phase", "wanted", "routed", "pending"),
    [
        (Phase.STARTING, Wanted.RUNNING, None, "spawn"),
        (Phase.READY, Wanted.RUNNING, None, "spawn"),  # it answers, and no edge knows the way yet
        (Phase.READY, Wanted.RUNNING, 1, None),
        (Phase.READY, Wanted.STOPPED, 1, "stop"),
        (Phase.STARTING, Wanted.REMOVED, None, "stop"),
        (Phase.STOPPING, Wanted.RUNNING, 1, "stop"),
        (Phase.STOPPED, Wanted.STOPPED, 1, "stop"),  # down, and some edge may still lead there
        (Phase.STOPPED, Wanted.STOPPED, None, None),
        (Phase.FAILED, Wanted.RUNNING, None, None),
    ],
)
def test_what_a_server_waits_for_follows_from_its_row(
    phase: Phase, wanted: Wanted, routed: int | None, pending: str | None
) -> None:
    moment = Moment(wanted=wanted, phase=phase, attempt=1, phase_attempt=1, routed=routed)
    assert moment.server.pending == pending
