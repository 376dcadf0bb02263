"""Who has no right to an administrators' page gets none of it, whatever they send; the walk is over all routes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest
import pytest_asyncio
from page_site import BY, Site, open_site, send

from all_routes import admin_routes
from apphub.audit.model import Search
from apphub.jobs.model import Job, Kind
from apphub.people.services import NewService

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: What parts of paths stand for here: each is really there.
NAMES = {"user": "ada", "group": "geo", "profile": "made", "service": "helper"}
#: Everything that may be looked at, and nothing that may be changed.
LOOKS = (
    "list:users",
    "read:users",
    "list:groups",
    "read:groups",
    "read:servers",
    "read:profiles",
    "list:services",
    "read:services",
    "read:tokens",
    "read:audit",
    "read:hub",
)
#: What a form of each page may hold, for all at once: nothing is refused for want of a field.
FIELDS = {
    "do": "really-delete",
    "count": "1",
    "name": "fresh",
    "names": "ada",
    "user": "ada",
    "server": "ada/",
    "group": "geo",
    "text": "command: [sleep]",
    "slug": "fresh",
    "whom": "user:bob",
    "version": "1",
    "binding": "1",
    "id": "1",
    "admin": "true",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    roles = [{"name": "looks", "scopes": LOOKS, "users": ["reader"]}]
    async with open_site(tmp_path_factory.mktemp("refusals") / "data", roles=roles) as site:
        await site.meet("admin", "ada", "bob", "reader")
        await site.hub.profiles.put(BY, "made", {"command": ["/nowhere"]}, create=True)
        await site.hub.services.create(await site.actor("admin"), BY, NewService(name="helper"))
        yield site


async def job_of(site: Site) -> str:
    """A bulk action of the administrator's."""
    return str(await site.hub.jobs.begin(await site.actor("admin"), BY, Kind.STOP_ALL, ["ada"]))


async def over(site: Site, name: str, job_id: int) -> Job:
    """A bulk action of somebody's, once it has ended."""
    actor = await site.actor(name)
    async with asyncio.timeout(30):
        while (job := (await site.hub.jobs.report(actor, job_id)).job).finished is None:
            await asyncio.sleep(0.05)
    return job


async def address(site: Site, path: str) -> str:
    """A path of a route, with everything in it filled in."""
    return "/apps" + path.format(**NAMES, job=await job_of(site) if "{job}" in path else "")


async def call(browser: httpx.AsyncClient, method: str, path: str, **fields: str) -> httpx.Response:
    """One request; a form is as one of the hub's own pages sends it."""
    return await browser.get(path) if method == "GET" else await send(browser, path, **FIELDS, **fields)


async def changes(site: Site) -> int:
    """How much was ever changed: each change is in the log."""
    return len(
        [one for one in await site.hub.audit.find(Search(), limit=10_000) if one.action != "job.create"]
    )


async def test_an_administrator_gets_every_page(site: Site) -> None:
    assert len(admin_routes()) > 30
    async with site.visit("admin") as browser:
        for method, path in admin_routes():
            if method == "GET":
                assert (await browser.get(await address(site, path))).status_code == 200, path


async def test_who_has_not_signed_in_is_sent_to_do_so_and_nothing_is_done(site: Site) -> None:
    before = await changes(site)
    async with site.visit() as browser:
        for method, path in admin_routes():
            answer = await call(browser, method, await address(site, path))
            if method == "GET":
                assert answer.status_code == 302, path
                assert answer.headers["location"].startswith("/apps/hub/login?next="), path
            else:
                assert answer.status_code == 403, path
    assert await changes(site) == before


async def test_who_has_no_right_is_refused_every_page_and_every_change(site: Site) -> None:
    async with site.visit("bob") as browser:
        before = await changes(site)
        for method, path in admin_routes():
            answer = await call(browser, method, await address(site, path))
            # What somebody may not even know of is not there for them.
            assert answer.status_code in (403, 404), f"{method} {path}"
            assert "ada" not in answer.text, f"{method} {path}"
        assert await changes(site) == before


async def test_who_may_look_at_everything_changes_nothing(site: Site) -> None:
    async with site.visit("reader") as browser:
        before = await changes(site)
        for method, path in admin_routes():
            if method == "GET":
                continue
            answer = await call(browser, method, await address(site, path))
            if path.endswith("/bulk"):  # each step asks for the right to it when its turn comes
                job = await over(site, "reader", int(answer.headers["location"].rpartition("/")[2]))
                assert (job.done, job.failed) == (1, 1), path
                continue
            assert answer.status_code in (403, 404), f"{method} {path}"
        assert await changes(site) == before


async def test_no_change_is_done_for_a_page_that_is_not_the_hubs_own(site: Site) -> None:
    async with site.visit("admin") as browser:
        before = await changes(site)
        for method, path in admin_routes():
            if method == "POST":
                answer = await call(browser, method, await address(site, path), _xsrf="forged")
                assert answer.status_code == 403, path
        assert await changes(site) == before
