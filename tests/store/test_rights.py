"""Rights are what they are now: looked up at each use, given and taken at once, never more than was given."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
import sqlalchemy as sa

from apphub.access import store
from apphub.access.actions import USE_RESOLUTION, Access
from apphub.access.actor import Actor
from apphub.access.grants import Target
from apphub.access.model import NewToken
from apphub.access.scopes import SELF
from apphub.db import Database
from apphub.db import tables as t
from apphub.kit import clock, secrets
from fakes.people import BY, Town

SERVICE_TOKEN = "a-service-token-of-32-characters"


async def _token(town: Town, name: str, **how: object) -> str:
    values = {"scopes": None, "note": "", "life": None, **how}
    made = await town.access.create_token(await town.actor(name), BY, name, **values)  # type: ignore[arg-type]
    return made.secret


async def _by(town: Town, secret: str) -> Actor:
    actor = await town.access.by_token(secret)
    assert actor is not None
    return actor


async def test_people_and_services_without_roles_hold_only_what_is_theirs(db: Database) -> None:
    # A nested query that forgot its owner once gave every role of the hub to everybody.
    services = [{"name": "plain", "api_token": SERVICE_TOKEN}, {"name": "mighty", "roles": ["admin"]}]
    roles = [
        {"name": "reader", "scopes": ["read:users"], "users": ["reader-in-chief"]},
        {"name": "grouped", "scopes": ["read:hub"], "groups": ["chosen"]},
    ]
    town = await Town.of(db, services=services, roles=roles)
    await town.add("ada", groups={"others": ["ada"]})
    plain = await _by(town, SERVICE_TOKEN)
    assert plain.grants().names() == []
    ada = (await town.actor("ada")).grants()
    assert ada.table.keys() == {*SELF, *_implied()}
    assert all(where == {("user", "ada")} for where in ada.table.values())


def _implied() -> set[str]:
    from apphub.access.scopes import INCLUDED

    return {included for scope in SELF for included in INCLUDED[scope]}


async def test_a_role_given_by_a_group_applies_at_once_and_ends_at_once_in_every_token(db: Database) -> None:
    town = await Town.of(db, roles=[{"name": "given-by-group", "scopes": ["read:hub"], "groups": ["chosen"]}])
    await town.add("ada")
    secret = await _token(town, "ada")
    root = await town.actor()
    assert not (await _by(town, secret)).holds("read:hub")
    await town.people.add_members(root, BY, "chosen", ["ada"])
    assert (await _by(town, secret)).holds("read:hub")
    await town.people.remove_members(BY, "chosen", ["ada"])
    assert not (await _by(town, secret)).holds("read:hub")


async def test_a_token_keeps_no_right_that_its_owner_has_lost(db: Database) -> None:
    town = await Town.of(db, roles=[{"name": "given-by-group", "scopes": ["read:hub"], "groups": ["chosen"]}])
    await town.add("ada")
    await town.people.add_members(await town.actor(), BY, "chosen", ["ada"])
    secret = await _token(town, "ada", scopes=["read:hub"])
    assert (await _by(town, secret)).may("read:hub", Target())
    await town.people.remove_members(BY, "chosen", ["ada"])
    assert not (await _by(town, secret)).may("read:hub", Target())


async def test_a_revoked_token_is_refused_from_the_moment_its_revocation_is_committed(town: Town) -> None:
    await town.add("ada")
    made = await town.access.create_token(await town.actor("ada"), BY, "ada", scopes=None, note="", life=None)
    assert await town.access.by_token(made.secret) is not None
    await town.access.revoke_token(BY, "ada", made.token.wire_id)
    assert await town.access.by_token(made.secret) is None


async def test_what_is_said_of_a_new_token_is_what_is_kept_of_it(town: Town) -> None:
    await town.add("ada")
    for scopes, life in ((None, None), (["read:users!user"], timedelta(minutes=5))):
        made = await town.access.create_token(
            await town.actor("ada"), BY, "ada", scopes=scopes, note="mine", life=life
        )
        assert await town.access.token("ada", made.token.wire_id) == made.token


async def test_signing_out_ends_the_session_and_the_app_tokens_it_granted(town: Town) -> None:
    await town.add("ada")
    ada = await town.people.person("ada")
    session = await town.access.start_session(BY, ada.id, timedelta(days=1))
    async with town.db.write() as tx:
        app = NewToken(secret="app", user_id=ada.id, session_id=session.id)
        await store.insert_token(tx, app, clock.now())
    assert (await _by(town, "app")).session_public_id == session.public_id
    actor = await town.access.by_session(session.secret)
    assert actor is not None
    assert actor.by_cookie
    await town.access.end_session(BY, session.id)
    assert await town.access.by_session(session.secret) is None
    assert await town.access.by_token("app") is None


async def test_a_person_who_is_deleted_is_nobody_at_once(town: Town) -> None:
    await town.add("ada")
    secret = await _token(town, "ada")
    assert await town.access.by_token(secret) is not None
    await town.servers.delete_user(BY, "ada", patience=timedelta(0))
    assert await town.access.by_token(secret) is None
    assert await town.access.owner("ada") is None


async def test_a_token_ends_when_its_time_is_over_also_when_it_is_remembered(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.add("ada")
    secret = await _token(town, "ada", life=timedelta(minutes=5))
    assert await town.access.by_token(secret) is not None
    later = clock.now() + timedelta(minutes=6)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert await town.access.by_token(secret) is None
    assert await Access(town.db).by_token(secret) is None
    assert await town.access.tokens_of("ada") == []
    await town.access.forget_expired()
    async with town.db.read() as tx:
        assert (await tx.execute(sa.select(sa.func.count()).select_from(t.tokens))).scalar() == 0


async def test_the_settings_bound_how_long_a_token_may_live(db: Database) -> None:
    town = await Town.of(db, tokens={"maximum_life": "1h"})
    root = await town.actor()
    for life in (None, timedelta(days=30)):
        made = await town.access.create_token(root, BY, "root", scopes=None, note="", life=life)
        assert made.token.expires is not None
        assert made.token.expires - made.token.created <= timedelta(hours=1)


async def test_a_use_is_written_down_once_a_minute_however_often_it_is_used(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    await town.add("ada")
    secret = await _token(town, "ada")
    start = clock.now()

    async def used_at(moment: object) -> object:
        monkeypatch.setattr(clock, "now", lambda: moment)
        assert await town.access.by_token(secret) is not None
        return (await town.access.tokens_of("ada"))[0].last_used

    assert await used_at(start) == start
    assert await used_at(start + USE_RESOLUTION / 2) == start
    assert await used_at(start + USE_RESOLUTION) == start + USE_RESOLUTION
    assert (await town.people.person("ada")).last_activity == start + USE_RESOLUTION
    fresh = Access(town.db)  # another replica, which remembers nothing, keeps to it too
    monkeypatch.setattr(clock, "now", lambda: start + USE_RESOLUTION * 1.5)
    assert await fresh.by_token(secret) is not None
    assert (await town.access.tokens_of("ada"))[0].last_used == start + USE_RESOLUTION


async def test_a_token_that_came_from_a_jupyterhub_is_found_and_verified(town: Town) -> None:
    await town.add("ada")
    ada = await town.people.person("ada")
    token, salt, rounds = "abcd1234efgh5678", "0a1b2c3d4e5f6071", 3
    digest = hashlib.sha512(salt.encode() + token.encode() * rounds).hexdigest()
    row = {
        "scheme": "jupyterhub",
        "prefix": token[:4],
        "digest": f"sha512:{rounds}:{salt}:{digest}",
        "user_id": ada.id,
        "scopes": ["inherit"],
        "created": clock.now(),
    }
    async with town.db.write() as tx:
        await tx.execute(sa.insert(t.tokens).values(**row))
        other = hashlib.sha512(b"another").hexdigest()  # the same first four characters, another token
        await tx.execute(sa.insert(t.tokens).values(**{**row, "digest": f"sha512:1:ff:{other}"}))
    assert (await _by(town, token)).name == "ada"
    assert await town.access.by_token("abcd1234efgh5679") is None
    assert await town.access.by_token("abcd") is None


async def test_what_the_database_keeps_is_never_the_secret_itself(town: Town) -> None:
    await town.add("ada")
    secret = await _token(town, "ada")
    session = await town.access.start_session(BY, (await town.people.person("ada")).id, timedelta(days=1))
    async with town.db.read() as tx:
        for table in (t.tokens, t.sessions, t.audit):
            for row in await tx.execute(sa.select(table)):
                assert secret not in str(row)
                assert session.secret not in str(row)
    assert secrets.digest(secret) != secret


@pytest.mark.parametrize("text", ["", "x" * 513, "é" * 300, "a" * 64])
async def test_no_text_that_was_never_given_out_opens_anything(town: Town, text: str) -> None:
    assert await town.access.by_token(text) is None
    assert await town.access.by_session(text) is None
