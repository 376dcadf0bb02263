"""What pages choose to show, as pure rules: the address of an app, a failure, the lives of tokens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apphub.kit.addresses import Address
from apphub.kit.urls import Urls
from apphub.listings.model import Cursor
from apphub.pages.admin_frame import SIZE
from apphub.pages.admin_profile_contexts import ProfileRow
from apphub.pages.admin_profiles import part_of, sought
from apphub.pages.pending import failure
from apphub.pages.tokens import LIVES, lives_up_to
from apphub.servers.launch import Surroundings, first_page, launch_spec
from apphub.servers.model import Phase, Plan, Server, ServerKey, Wanted
from apphub.settings import Profile

URLS = Urls("/apps/", "http://127.0.0.1:8081")
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def server_of(tmp: Any, default_url: str, *, kind: str = "command", address: bool = True) -> Server:
    command = ("app",) if kind == "command" else ()
    profile = Profile.model_validate(
        {
            "slug": "x",
            "kind": kind,
            "command": command,
            "default_url": default_url,
            "working_dir": str(tmp),
            "options": {"file": {"default": "a b"}},
        }
    )
    return Server(
        id=1,
        user_id=1,
        key=ServerKey("ada@x", "lab"),
        display_name="",
        created=NOW,
        wanted=Wanted.RUNNING,
        attempt=1,
        options=None,
        plan=Plan.of(profile, {"file": "a b"}),
        requested=NOW,
        phase=Phase.READY,
        phase_attempt=1,
        reason=None,
        admitted=NOW,
        place="local",
        address=Address("127.0.0.1", 20001) if address else None,
        routed_attempt=1,
        last_activity=None,
    )


@pytest.mark.parametrize(
    ("default_url", "page"),
    [
        ("", ""),
        ("/tree", "tree"),
        ("tree?reset#top", "tree?reset#top"),
        ("/{user}/{server}?p={port}", "ada@x/lab?p=20001"),
        ("/open/{option:file}", "open/a%20b"),
        ("//evil.example/", "evil.example/"),
    ],
)
def test_an_app_is_opened_at_its_own_first_page(tmp_path: Any, default_url: str, page: str) -> None:
    assert first_page(server_of(tmp_path, default_url), URLS) == f"/apps/user/ada@x/lab/{page}"


def test_jupyterhub_singleuser_is_opened_at_its_root_and_told_its_first_page(tmp_path: Any) -> None:
    server = server_of(tmp_path, "/lab/tree/{user}", kind="jupyterhub-singleuser")
    assert first_page(server, URLS) == "/apps/user/ada@x/lab/"
    around = Surroundings(urls=URLS, environ={}, homes=tmp_path, system_users=False, root=False)
    assert launch_spec(server, "token", around).env["JUPYTERHUB_DEFAULT_URL"] == "/lab/tree/ada@x"


def test_an_app_without_an_address_yet_is_opened_at_its_root(tmp_path: Any) -> None:
    assert first_page(server_of(tmp_path, "/{port}", address=False), URLS) == "/apps/user/ada@x/lab/"


def test_a_failure_is_told_whole_and_what_the_log_shows_is_not_told_twice() -> None:
    assert failure("It ended.\nline 1\nline 2", "line 0\nline 1\nline 2\n") == "It ended."
    assert failure("It ended.\nline 1", "") == "It ended.\nline 1"
    assert failure("It ended.", "line 1") == "It ended."


def test_tokens_are_offered_the_longest_life_they_may_have_and_shorter_ones() -> None:
    assert lives_up_to(None) == LIVES
    assert lives_up_to(timedelta(days=30)) == (timedelta(days=1), timedelta(days=30))
    assert lives_up_to(timedelta(hours=1)) == (timedelta(hours=1),)


def test_profiles_are_found_by_either_name_and_those_withdrawn_come_last() -> None:
    rows = [
        ProfileRow(slug="lab", name="JupyterLab"),
        ProfileRow(slug="map", name="atlas"),
        ProfileRow(slug="old-lab", name="Ancient", withdrawn=NOW),
        ProfileRow(slug="tide", name="Tides"),
    ]
    assert [row.slug for row in sought(rows, "")] == ["map", "lab", "tide", "old-lab"]
    assert [row.slug for row in sought(rows, "", backwards=True)] == ["tide", "lab", "map", "old-lab"]
    assert [row.slug for row in sought(rows, "LAB")] == ["lab", "old-lab"]
    assert [row.slug for row in sought(rows, "ATL")] == ["map"]
    assert sought(rows, "nothing") == []


def test_profiles_are_paged_both_ways_and_a_place_that_is_gone_is_the_first_page() -> None:
    rows = [ProfileRow(slug=f"p{number:03}", name="x") for number in range(2 * SIZE + 5)]
    first = part_of(rows, None)
    second = part_of(rows, first.after)
    third = part_of(rows, second.after)
    assert [*first.rows, *second.rows, *third.rows] == rows
    assert (first.before, third.after, len(third.rows)) == (None, None, 5)
    assert part_of(rows, third.before).rows == second.rows
    assert part_of(rows, second.before).rows == first.rows
    for nonsense in (Cursor(("gone",)), Cursor(()), Cursor((None, 7))):
        assert part_of(rows, nonsense).rows == first.rows
    assert part_of([], None).rows == []
    assert part_of(rows[:1], Cursor(("p000",))).rows == []
