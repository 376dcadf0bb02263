"""Services that the API registers: nobody gives one more than they hold, and the file's stay the file's."""

from __future__ import annotations

import pytest

from apphub.access.actor import EVERYTHING, Reach
from apphub.access.scopes import Filter, UnknownScope
from apphub.db import Database
from apphub.errors import Conflict, Invalid, NotFound
from apphub.oauth.store import list_clients
from apphub.people.actions import MayNotGrant
from apphub.people.services import NewService
from apphub.services import Services
from apphub.services.actions import NotModifiable
from fakes.people import BY, Town

TOKEN = "a-token-of-some-length"


@pytest.fixture
def services(db: Database) -> Services:
    return Services(db)


async def test_a_service_that_is_registered_can_call_and_sign_people_in_until_it_is_forgotten(
    town: Town, services: Services
) -> None:
    root = await town.actor()
    new = NewService(
        name="wiki", api_token=TOKEN, oauth_redirect_uri="https://wiki.example/back", info={"a": 1}
    )
    made = await services.create(root, BY, new)
    assert (made.name, made.admin, made.info, made.roles) == ("wiki", False, {"a": 1}, ())
    actor = await town.access.by_token(TOKEN)
    assert actor is not None
    assert (actor.kind, actor.grants().names()) == ("service", [])
    async with town.db.read() as tx:
        [client] = await list_clients(tx, "service-wiki")
    assert (client.service, client.no_confirm) == ("wiki", False)
    with pytest.raises(Conflict):
        await services.create(root, BY, new)
    await services.delete(BY, "wiki")
    assert await town.access.by_token(TOKEN) is None
    async with town.db.read() as tx:
        assert await list_clients(tx, "service-wiki") == []
    with pytest.raises(NotFound):
        await services.delete(BY, "wiki")


async def test_only_an_administrator_registers_one_that_is_an_administrator(
    town: Town, services: Services
) -> None:
    narrow = await town.narrowed("root", "admin:services")
    with pytest.raises(MayNotGrant):
        await services.create(narrow, BY, NewService(name="mighty", admin=True, api_token=TOKEN))
    assert await services.list(EVERYTHING) == []
    await services.create(await town.actor(), BY, NewService(name="mighty", admin=True, api_token=TOKEN))
    actor = await town.access.by_token(TOKEN)
    assert actor is not None
    assert actor.holds("admin:users")


@pytest.mark.parametrize(
    ("new", "error"),
    [
        (NewService(name="Wiki"), Invalid),
        (NewService(name="a/b"), Invalid),
        (NewService(name=""), Invalid),
        (NewService(name="x" * 64), Invalid),
        (NewService(name="a\n"), Invalid),
        (NewService(name="wiki", api_token="short"), Invalid),
        (NewService(name="wiki", oauth_redirect_uri="https://wiki.example/"), Invalid),
        (NewService(name="wiki", api_token=TOKEN, oauth_no_confirm=True), Invalid),
        (NewService(name="wiki", oauth_allowed_scopes=("nothing",)), UnknownScope),
    ],
)
async def test_a_service_that_is_out_of_order_is_refused_in_words(
    town: Town, services: Services, new: NewService, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await services.create(await town.actor(), BY, new)
    assert await services.list(EVERYTHING) == []


async def test_a_service_of_the_file_is_not_the_apis_to_delete(db: Database, services: Services) -> None:
    await Town.of(db, services=[{"name": "bot", "api_token": TOKEN}])
    with pytest.raises(NotModifiable):
        await services.delete(BY, "bot")
    assert (await services.get("bot")).name == "bot"
    with pytest.raises(NotFound):
        await services.get("nothing")


async def test_a_list_of_services_is_narrowed_to_its_reach(town: Town, services: Services) -> None:
    root = await town.actor()
    for name in ("one", "two"):
        await services.create(root, BY, NewService(name=name))
    assert [one.name for one in await services.list(EVERYTHING)] == ["one", "two"]
    within = await services.list(Reach((frozenset({Filter("service", "two")}),)))
    assert [one.name for one in within] == ["two"]
    assert await services.list(Reach((frozenset({Filter("user", "two")}),))) == []


async def test_a_token_that_another_holds_already_is_refused(town: Town, services: Services) -> None:
    root = await town.actor()
    await services.create(root, BY, NewService(name="one", api_token=TOKEN))
    with pytest.raises(Conflict):
        await services.create(root, BY, NewService(name="two", api_token=TOKEN))
    assert [one.name for one in await services.list(EVERYTHING)] == ["one"]


@pytest.mark.parametrize("url", ["https://127.0.0.1:9000", "ftp://127.0.0.1", "127.0.0.1:9000"])
async def test_a_service_where_the_edge_cannot_ask_it_is_refused(
    town: Town, services: Services, url: str
) -> None:
    with pytest.raises(Invalid, match="http://"):
        await services.create(await town.actor(), BY, NewService(name="wiki", url=url))
