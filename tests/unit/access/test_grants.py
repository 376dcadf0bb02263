"""What scopes stand for, and what follows when two sets of them meet: as recorded, and for all small worlds."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apphub.access.actor import Actor, OutOfReach, ScopeMissing
from apphub.access.grants import Grants, Target
from apphub.access.roles import BUILT_IN
from apphub.access.scopes import (
    FILTERS,
    IDENTIFY,
    INCLUDED,
    SCOPES,
    UnknownScope,
    check,
    describe,
    of_jupyterhub,
    parse,
)

GOLDEN = Path(__file__).parents[2] / "wire/conformance/golden/02_identity.json"

#: A small universe: two of everything, with ada in g and bob in h.
USERS = {"ada": frozenset({"g"}), "bob": frozenset({"h"})}
TARGETS = (
    [Target(user=name, groups=groups) for name, groups in USERS.items()]
    + [
        Target(user=name, groups=groups, server=f"{name}/{server}")
        for name, groups in USERS.items()
        for server in ("", "lab")
    ]
    + [Target(group=name) for name in ("g", "h")]
    + [Target(service=name) for name in ("s", "t")]
    + [Target()]
)
_VALUES = {
    "user": ("ada", "bob"),
    "group": ("g", "h"),
    "server": ("ada/", "ada/lab", "bob/lab"),
    "service": ("s", "t"),
}
_NARROWINGS = ["", *(f"!{kind}={value}" for kind in FILTERS for value in _VALUES[kind])]
_SCOPES = st.builds("".join, st.tuples(st.sampled_from(sorted(SCOPES)), st.sampled_from(_NARROWINGS)))
grants = st.lists(_SCOPES, max_size=6).map(Grants.of)


def _recorded(case: str, step: str) -> list[str]:
    scopes: list[str] = json.loads(GOLDEN.read_text())[case][step]["body"]["scopes"]
    return scopes


# -- as recorded ---------------------------------------------------------------------------


def test_a_user_holds_what_the_recorded_user_holds() -> None:
    services = ["access:services!service=conf-oauth", "access:services!service=conf-trusted"]
    held = Grants.of(["self", *services], user="ident-user-ann")
    assert held.names() == _recorded("ident-user", "01")


def test_an_administrator_holds_what_the_recorded_one_holds() -> None:
    held = of_jupyterhub(Grants.of(BUILT_IN["admin"][1]).names())
    assert held == _recorded("ident-service", "01")


def test_every_kind_of_filter_expands_as_recorded() -> None:
    held = Grants.of(
        [
            "read:users!group=conf-role-group",
            "list:users!group=conf-role-group",
            "admin:users!user=conf-filter-user",
            "servers!server=conf-filter-user/lab",
            "groups!group=conf-role-group",
            "read:services!service=conf-filtered",
            "list:services!service=conf-filtered",
            "users:activity!user=conf-filter-user",
        ]
    )
    assert held.names() == _recorded("ident-service", "04")


@pytest.mark.parametrize(("step", "scopes"), [("02", []), ("03", ["users:activity!user"])])
def test_a_narrow_token_holds_what_the_recorded_one_holds(step: str, scopes: list[str]) -> None:
    user = "ident-user-ann"
    owner = Grants.of(["self"], user=user)
    limit = Grants.of([*scopes, *IDENTIFY], user=user)
    assert owner.meet(limit, user=user, groups=frozenset()).names() == _recorded("ident-user", step)


# -- parsing -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing",
        "read:users!",
        "read:users!owner=ada",
        "read:users!user=",
        "read:users!group",
        "read:users!service",
        "servers!server=lab",
        "READ:USERS",
        " read:users",
        "read:users ",
        "read:users\n",
        "read:users!user=ada!group=g",
        "self!user",
        "inherit!user=ada",
    ],
)
def test_a_scope_that_cannot_be_is_refused_or_means_no_more_than_it_says(text: str) -> None:
    try:
        name, kind, value = parse(text)
    except UnknownScope as error:
        if len(str(error)) >= 300:
            pytest.fail("the error repeats all of a long text")
        return
    # What is read must be narrowed by what stands there, never by less.
    assert "!" in text
    assert kind in FILTERS
    held = Grants.of([text], user="eve")
    assert name in ("self", "inherit") or all(where is not None for where in held.table.values())
    assert value is None or value in text


def test_a_long_scope_is_cut_in_the_message_that_refuses_it() -> None:
    with pytest.raises(UnknownScope) as refused:
        check(["x" * 100_000])
    assert len(str(refused.value)) < 300


def test_every_scope_includes_only_scopes_that_exist_and_is_described() -> None:
    for name, (words, included) in SCOPES.items():
        assert set(included) <= SCOPES.keys(), name
        assert words.endswith("."), name
        assert name in INCLUDED[name]
        assert describe(name)
        assert "only" in describe(f"{name}!user=ada")


def test_what_applies_to_nobody_gives_nothing() -> None:
    assert Grants.of(["read:users!user", "self"]).table == {}
    assert Grants.of(["access:servers!server"], user="ada").table == {}
    assert Grants.of(["inherit"], user="ada").table == {}


def test_a_filter_by_server_says_nothing_about_the_servers_owner() -> None:
    held = Grants.of(["servers!server=ada/lab"])
    assert not held.covers("read:users:name", Target(user="ada"))
    assert held.covers("read:servers", Target(user="ada"))  # the page of ada's servers, with just that one
    assert not held.covers("read:servers", Target(user="ada", server="ada/"))
    assert not held.covers("start:servers", Target(user="ada"))
    assert not Grants.of(["servers!server=ada/lab"]).covers("read:servers", Target(user="ad"))


# -- for all small worlds ------------------------------------------------------------------


def _reached(held: Grants) -> set[tuple[str, int]]:
    return {
        (scope, number)
        for scope in held.table
        for number, target in enumerate(TARGETS)
        if held.covers(scope, target)
    }


def _who() -> list[tuple[str | None, frozenset[str]]]:
    return [(None, frozenset()), *USERS.items()]


@settings(max_examples=400, deadline=None)
@given(grants, grants, st.sampled_from(_who()))
def test_what_two_sets_both_cover_is_never_more_than_either(
    one: Grants, two: Grants, who: tuple[str | None, frozenset[str]]
) -> None:
    user, groups = who
    both = one.meet(two, user=user, groups=groups)
    assert _reached(both) <= _reached(one)
    assert _reached(both) <= _reached(two)
    assert both.within(one, user=user, groups=groups)
    assert both.within(two, user=user, groups=groups)


@settings(max_examples=400, deadline=None)
@given(grants, grants, st.sampled_from(_who()))
def test_what_is_within_reaches_nothing_that_the_other_does_not(
    one: Grants, two: Grants, who: tuple[str | None, frozenset[str]]
) -> None:
    user, groups = who
    left = one.beyond(two, user=user, groups=groups)
    assert one.within(two, user=user, groups=groups) == (not left.table)
    if not left.table:
        assert _reached(one) <= _reached(two)
    # What is beyond, and what is covered, together are all there was.
    assert _reached(one) <= _reached(left) | _reached(two)


@settings(max_examples=200, deadline=None)
@given(grants, grants)
def test_joined_sets_reach_what_each_reached_and_no_more(one: Grants, two: Grants) -> None:
    assert _reached(one | two) == _reached(one) | _reached(two)
    assert (one | two).names() == (two | one).names()


@settings(max_examples=200, deadline=None)
@given(grants)
def test_a_set_written_down_and_read_again_is_the_same(one: Grants) -> None:
    again = Grants.of(one.names())
    assert _reached(again) == _reached(one)
    assert one.within(one)
    assert one.meet(one).names() == one.names()
    assert not one.beyond(one).table


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SCOPES)), st.sampled_from(_NARROWINGS[1:]))
def test_a_filter_only_ever_takes_away(scope: str, narrowing: str) -> None:
    assert _reached(Grants.of([scope + narrowing])) < _reached(Grants.of([scope]))
    assert Grants.of([scope + narrowing]).within(Grants.of([scope]))
    assert not Grants.of([scope]).within(Grants.of([scope + narrowing]))


@given(
    st.lists(grants, min_size=1, max_size=2),
    st.lists(st.sampled_from(sorted(SCOPES)), min_size=1, max_size=2),
)
def test_what_is_held_everywhere_is_held_for_whatever_there_is(
    rights: list[Grants], scopes: list[str]
) -> None:
    actor = Actor("user", 1, "ada", False, frozenset({"g"}), tuple(rights))
    if actor.everywhere(tuple(scopes)):
        for target in TARGETS:
            actor.demand(target, *scopes)
    else:  # no filter names a target without any name
        with pytest.raises((OutOfReach, ScopeMissing)):
            actor.demand(Target(), *scopes)


def test_a_filter_lets_through_what_it_names_and_nothing_else() -> None:
    for kind, value in itertools.chain(*(itertools.product([kind], _VALUES[kind]) for kind in FILTERS)):
        held = Grants.of([f"read:users:groups!{kind}={value}"])
        for target in TARGETS:
            named: dict[str, Any] = {
                "user": target.user == value,
                "group": value in target.groups or target.group == value,
                "server": target.server == value,
                "service": target.service == value,
            }
            assert held.covers("read:users:groups", target) == named[kind], (kind, value, target)
