"""Signing in: uniform in its refusals, limited in its failures, and one account for every spelling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from apphub.audit import By
from apphub.db import Database
from apphub.db import tables as t
from apphub.errors import Invalid
from apphub.kit import clock
from apphub.login import store
from apphub.login.actions import Login, SignInFailed, TooManyFailures
from apphub.settings import Login as LoginSettings
from fakes.people import BY, Town

HERE = By("anonymous", address="192.0.2.7")
PASSWORD = "a good password"
Make = Callable[..., Login]


@pytest.fixture
async def make(db: Database) -> AsyncGenerator[Make]:
    made: list[Login] = []

    def login(**values: Any) -> Login:
        quick = {"failures_per_account": 3, "failures_per_address": 8, **values}
        made.append(Login(db, LoginSettings.model_validate(quick)))
        return made[-1]

    yield login
    for one in made:
        one.close()


@pytest.fixture
async def login(make: Make, town: Town) -> Login:
    await town.add("ada", "bob")
    one = make()
    for name in ("ada", "bob"):
        await one.set_password(BY, name, PASSWORD)
    return one


async def _fail(login: Login, name: object, times: int, by: By = HERE) -> None:
    for _ in range(times):
        with pytest.raises(SignInFailed):
            await login.sign_in(name, "wrong", by, "page")


async def test_the_right_password_signs_in_under_every_spelling_of_the_name(login: Login) -> None:
    for name in ("ada", "Ada", "ＡＤＡ"):
        assert await login.sign_in(name, PASSWORD, HERE, "page") == "ada"


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("ada", ""),
        ("ada", PASSWORD + " "),
        ("", ""),
        ("ada/x", PASSWORD),
        ("ada\n", PASSWORD),
        (None, None),
        ({"name": "ada"}, PASSWORD),
        (["ada"], [PASSWORD]),
        ("ada", 7),
        ("x" * 100_000, "y" * 100_000),
    ],
)
async def test_every_refusal_says_the_same(login: Login, name: object, password: object) -> None:
    with pytest.raises(SignInFailed) as refused:
        await login.sign_in(name, password, HERE, "page")
    assert str(refused.value) == str(SignInFailed())


async def test_too_many_failures_pause_the_account_even_for_the_right_password(login: Login) -> None:
    await _fail(login, "ada", 2)
    await _fail(login, "ADA", 1)  # another spelling is the same account
    with pytest.raises(TooManyFailures) as refused:
        await login.sign_in("ada", PASSWORD, HERE, "page")
    assert timedelta(0) < refused.value.retry_after <= timedelta(minutes=15)
    assert await login.sign_in("bob", PASSWORD, HERE, "page") == "bob"


async def test_a_pause_outlives_a_restart_and_ends_with_its_window(
    login: Login, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _fail(login, "ada", 3)
    again = make()
    with pytest.raises(TooManyFailures):
        await again.sign_in("ada", PASSWORD, HERE, "page")
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    await _fail(again, "ada", 2)  # a new window counts from one again
    assert await again.sign_in("ada", PASSWORD, HERE, "page") == "ada"


async def test_success_forgives_the_account(login: Login) -> None:
    for _ in range(3):
        await _fail(login, "ada", 2)
        await login.sign_in("ada", PASSWORD, By("x", address="198.51.100.1"), "page")


async def test_one_address_that_tries_many_accounts_is_paused_and_no_other(login: Login) -> None:
    attacker = By("x", address="2001:db8::1")
    for number in range(8):
        await _fail(login, f"guess{number}", 1, attacker)
    neighbour = By("x", address="2001:db8::ffff")  # the same /64
    for by in (attacker, neighbour):
        with pytest.raises(TooManyFailures):
            await login.sign_in("ada", PASSWORD, by, "page")
    assert await login.sign_in("ada", PASSWORD, By("x", address="2001:db8:0:1::1"), "page") == "ada"


async def test_many_tries_at_once_learn_no_more_than_one_after_another(login: Login) -> None:
    # The right password among many wrong ones, all sent before any has failed.
    guesses = ["wrong"] * 12 + [PASSWORD]
    results = await asyncio.gather(
        *(login.sign_in("ada", guess, HERE, "page") for guess in guesses), return_exceptions=True
    )
    assert not any(isinstance(result, str) for result in results)
    assert all(isinstance(result, SignInFailed | TooManyFailures) for result in results)


async def test_a_database_that_is_slow_to_count_lets_nobody_try_more_often(
    login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_failure = store.add_failure

    async def slow(*arguments: Any) -> Any:
        await asyncio.sleep(0.3)  # as long as several hashes take
        return await add_failure(*arguments)

    monkeypatch.setattr(store, "add_failure", slow)
    await test_many_tries_at_once_learn_no_more_than_one_after_another(login)


async def test_failures_are_counted_one_by_one_however_many_come_at_once(
    make: Make, town: Town, db: Database
) -> None:
    await town.add("ada")
    replicas = [make(failures_per_account=100, failures_per_address=100) for _ in range(10)]
    await asyncio.gather(
        *(one.sign_in("ada", "wrong", HERE, "page") for one in replicas), return_exceptions=True
    )
    async with db.read() as tx:
        counts = set((await tx.execute(sa.select(t.login_failures.c.count))).scalars())
    assert counts <= {10}
    assert counts


async def test_each_login_method_has_a_switch_for_programs(make: Make, town: Town) -> None:
    await town.add("ada")
    login = make(password={"token_endpoint": False})
    await login.set_password(BY, "ada", PASSWORD)
    assert await login.sign_in("ada", PASSWORD, HERE, "page") == "ada"
    with pytest.raises(SignInFailed):
        await login.sign_in("ada", PASSWORD, HERE, "token")
    off = make(password={"enabled": False})
    with pytest.raises(SignInFailed):
        await off.sign_in("ada", PASSWORD, HERE, "page")


async def test_a_shared_password_makes_accounts_only_where_that_is_wanted(make: Make, town: Town) -> None:
    shared = {"password": "one for all"}
    makes = make(shared_password=shared)
    assert await makes.sign_in("New", "one for all", HERE, "page") == "new"
    assert (await town.people.person("new")).admin is False
    with pytest.raises(SignInFailed):
        await make(shared_password={**shared, "create_users": False}).sign_in(
            "other", "one for all", HERE, "page"
        )
    results = await asyncio.gather(
        *(makes.sign_in("many", "one for all", HERE, "page") for _ in range(10)), return_exceptions=True
    )
    assert "many" in results
    assert await town.people.person("many")


async def test_a_new_password_ends_the_sign_ins_of_before(login: Login, town: Town) -> None:
    ada = await town.people.person("ada")
    session = await town.access.start_session(BY, ada.id, timedelta(days=1))
    assert await town.access.by_session(session.secret) is not None
    await login.set_password(BY, "ada", "another good one")
    assert await town.access.by_session(session.secret) is None
    with pytest.raises(SignInFailed):
        await login.sign_in("ada", PASSWORD, HERE, "page")
    for poor in ("short", "x" * 1025):
        with pytest.raises(Invalid):
            await login.set_password(BY, "ada", poor)


async def test_a_first_password_is_random_and_given_only_where_there_is_none(
    login: Login, town: Town
) -> None:
    await town.add("new")
    made = await login.ensure_password("new")
    assert made is not None
    assert len(made) >= 20
    assert await login.sign_in("new", made, HERE, "page") == "new"
    assert await login.ensure_password("new") is None
    assert await login.ensure_password("ada") is None


async def test_who_signed_in_is_in_the_audit_log_and_no_password_is_anywhere(
    login: Login, db: Database
) -> None:
    await login.sign_in("ada", PASSWORD, HERE, "token")
    async with db.read() as tx:
        rows = [tuple(row) for row in await tx.execute(sa.select(t.audit).where(t.audit.c.action == "login"))]
        assert len(rows) == 1
        for table in t.metadata.sorted_tables:
            assert PASSWORD not in str([tuple(row) for row in await tx.execute(sa.select(table))])
