"""Pages as somebody with a browser meets them: signing in and out, errors, ways back, limits."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from page_site import BY, PASSWORD, Site, open_site, send

from apphub.servers.model import ServerKey
from apphub.shares.model import With

#: One hub serves all tests of this module but those that want other settings: each has people of its own.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    async with open_site(tmp_path_factory.mktemp("site") / "data") as site:
        yield site


async def test_a_failed_sign_in_keeps_the_name_and_where_to_go(site: Site) -> None:
    path = "/apps/hub/login?next=/apps/user/ada/lab/a%2520b%3Fx%3D1"
    async with site.visit() as browser:
        refused = await send(browser, path, username="ada", password="wrong")
        assert refused.status_code == 403
        assert "Invalid username or password" in refused.text
        assert 'value="ada"' in refused.text
        assert 'action="/apps/hub/login?next=%2Fapps%2Fuser%2Fada%2Flab%2Fa%2520b%3Fx%3D1"' in refused.text
        done = await send(browser, path, username="ada", password=PASSWORD)
        assert done.headers["location"] == "/apps/user/ada/lab/a%20b?x=1"


@pytest.mark.parametrize("foreign", ["//evil.example", "https://evil.example/", "/%5Cevil.example"])
async def test_signing_in_leads_to_no_other_host(site: Site, foreign: str) -> None:
    async with site.visit() as browser:
        done = await send(browser, f"/apps/hub/login?next={foreign}", username="ada", password=PASSWORD)
        assert done.headers["location"] == "/apps/hub/home"


async def test_a_sign_in_page_that_was_open_for_too_long_lets_people_try_again(site: Site) -> None:
    async with site.visit() as browser:
        login = {"username": "ada", "password": PASSWORD}
        stale = await send(browser, "/apps/hub/login?next=/apps/hub/token", **login, _xsrf="old")
        assert stale.status_code == 403
        assert "open for too long" in stale.text
        again = await send(browser, "/apps/hub/login?next=/apps/hub/token", **login)
        assert again.headers["location"] == "/apps/hub/token"


async def test_who_signs_out_is_told_so_once(site: Site) -> None:
    async with site.visit("ada") as browser:
        out = await send(browser, "/apps/hub/logout")
        assert "You are signed out." in (await browser.get(out.headers["location"])).text
        assert "You are signed out." not in (await browser.get("/apps/hub/login")).text
    async with site.visit("ada") as browser:
        assert (await browser.get("/apps/hub/logout")).headers["location"] == "/apps/hub/login"


async def test_error_pages_show_who_is_signed_in_and_the_number_of_the_request(site: Site) -> None:
    async with site.visit("ada") as browser:
        for path, status, words in (
            ("/apps/hub/nothing", 404, "There is nothing at this address."),
            ("/apps/hub/admin", 403, "You do not have the right to see or do this."),
            ("/apps/hub/spawn/bob", 404, "It is not there, or not open to you."),
            ("/apps/hub/accept-share?code=x", 404, "Ask for a new one."),
        ):
            page = await browser.get(path)
            assert page.status_code == status, path
            assert words in page.text
            assert page.headers["x-request-id"] in page.text
            assert "Sign out" in page.text


async def test_what_a_browser_asks_for_by_itself_spoils_no_form_of_an_open_page(site: Site) -> None:
    async with site.visit("ada") as browser:
        for path in ("/favicon.ico", "/apps/favicon.ico", "/apps/hub/spawn/a/b/c", "/apps/hub/static/x.map"):
            missing = await browser.get(path)
            assert missing.status_code == 404, path
            assert "set-cookie" not in missing.headers, path
        assert (await send(browser, "/apps/hub/stop/ada")).status_code == 302


async def test_handlers_speak_the_language_of_the_browser(site: Site) -> None:
    async with site.visit("ada", language="it-IT,it;q=0.9") as browser:
        assert "Non c’è nulla a questo indirizzo." in (await browser.get("/apps/hub/nothing")).text
        home = (await browser.get("/apps/hub/home")).text
        assert "Non ancora disponibile per nessuno." in home
    async with site.visit("admin", language="it") as browser:
        assert "Per i membri di geo, sea." in (await browser.get("/apps/hub/home")).text


async def test_a_form_sent_after_the_sign_in_has_ended_offers_to_sign_in(site: Site) -> None:
    async with site.visit("ada") as browser:
        browser.cookies.delete("jupyterhub-hub-login")
        refused = await send(browser, "/apps/hub/start/ada")
        assert refused.status_code == 403
        assert "Your sign-in has ended." in refused.text
        assert '<a class="button main" href="/apps/hub/home">Sign in</a>' in refused.text


async def test_a_failed_start_shows_the_whole_reason_and_starts_again_towards_the_same_address(
    site: Site,
) -> None:
    async with site.visit("eve") as browser:
        asked = await browser.get("/apps/hub/user/eve/deep/er?x=1")
        assert asked.status_code == 424
        assert 'action="/apps/hub/start/eve?next=%2Fapps%2Fuser%2Feve%2Fdeep%2Fer%3Fx%3D1"' in asked.text
        started = await send(browser, "/apps/hub/start/eve?next=/apps/user/eve/deep/er%3Fx%3D1")
        where = started.headers["location"]
        assert where == "/apps/hub/spawn-pending/eve?next=/apps/user/eve/deep/er%3Fx%3D1"
        await site.failed("eve")
        for _ in ("first", "reloaded"):
            page = (await browser.get(where)).text
            assert "/nowhere/app" in page
            assert 'action="/apps/hub/start/eve?next=%2Fapps%2Fuser%2Feve%2Fdeep%2Fer%3Fx%3D1"' in page
        program = await browser.get("/apps/hub/user/eve/api/kernels", headers={"accept": "application/json"})
        assert (program.status_code, program.headers["content-type"]) == (424, "application/json")


async def test_buttons_of_the_administrators_list_lead_back_to_it_and_never_elsewhere(site: Site) -> None:
    await site.meet("gus")
    await site.failed("gus", "lab")
    async with site.visit("admin") as browser:
        listed = (await browser.get("/apps/hub/admin?search=gu")).text
        assert 'href="/apps/hub/admin/users/gus"' in listed
        page = (await browser.get("/apps/hub/admin/users/gus")).text
        assert 'action="/apps/hub/start/gus/lab?next=%2Fapps%2Fhub%2Fadmin%2Fusers%2Fgus"' in page
        assert "/apps/hub/spawn/gus?next=%2Fapps%2Fhub%2Fadmin%2Fusers%2Fgus" in page
        for asked, goes in (
            ("/apps/hub/admin%3Fsearch%3Dgu", "/apps/hub/admin?search=gu"),
            ("//evil.example/", "/apps/hub/home"),
            ("/apps/user/gus/", "/apps/hub/home"),
        ):
            answer = await send(browser, f"/apps/hub/stop/gus/lab?next={asked}")
            assert answer.headers["location"] == goes
        answer = await send(browser, "/apps/hub/delete/gus/lab?next=/apps/hub/admin")
        assert answer.headers["location"] == "/apps/hub/admin"
        deleted = await site.hub.servers.find(ServerKey("gus", "lab"))
        assert deleted is not None
        assert deleted.removal is not None


async def test_who_may_start_one_server_of_somebody_starts_no_other_by_naming_it(site: Site) -> None:
    await site.meet("hal", "bob")
    await site.failed("hal")
    admin, key = await site.actor("admin"), ServerKey("hal", "")
    await site.hub.shares.grant(admin, BY, key, With(user="bob"), ["start:servers"])
    async with site.visit("bob") as browser:
        allowed = await send(browser, "/apps/hub/spawn/hal", profile="app")
        assert allowed.status_code == 302
        refused = await send(browser, "/apps/hub/spawn/hal", profile="app", server_name="other")
        assert refused.status_code == 404
    assert await site.hub.servers.find(ServerKey("hal", "other")) is None


async def test_wrong_fields_come_back_with_what_was_wrong(site: Site) -> None:
    async with site.visit("ada") as browser:
        bad_name = await send(browser, "/apps/hub/spawn/ada", profile="app", server_name="Not Good")
        assert bad_name.status_code == 400
        assert "Invalid server_name" in bad_name.text
        no_number = await send(browser, "/apps/hub/spawn/ada", **{"profile": "app", "option:size": "many"})
        assert no_number.status_code == 400
        assert "is not a number, as size must be." in no_number.text
        closed = await send(browser, "/apps/hub/spawn/ada", profile="new")
        assert closed.status_code == 403


async def test_home_says_when_there_can_be_no_more_servers(tmp_path: Path) -> None:
    limits = {"named_servers_per_user": 1}
    async with open_site(tmp_path / "data", limits=limits) as site, site.visit("ada") as browser:
        assert 'name="server_name"' in (await browser.get("/apps/hub/home")).text
        await site.failed("ada", "one")
        page = (await browser.get("/apps/hub/home")).text
        assert 'name="server_name"' not in page
        assert "/apps/hub/spawn/ada" in page  # the default server is free


async def test_an_administrator_with_few_rights_sees_only_what_they_reach(tmp_path: Path) -> None:
    role = {"name": "helpers", "scopes": ["admin-ui", "list:users"], "users": ["bob"]}
    async with open_site(tmp_path / "data", roles=[role]) as site:
        await site.failed("ada")
        async with site.visit("bob") as browser:
            listed = (await browser.get("/apps/hub/admin?search=ada")).text
            assert ">ada</a>" in listed
            assert "geo" not in listed
            page = (await browser.get("/apps/hub/admin/users/ada")).text
            assert "geo" not in page
            assert "/apps/hub/start/ada" not in page
            assert "/apps/hub/spawn/ada" not in page


async def test_no_life_is_offered_to_a_token_that_it_cannot_have(tmp_path: Path) -> None:
    tokens = {"maximum_life": "7d"}
    async with open_site(tmp_path / "data", tokens=tokens) as site, site.visit("ada") as browser:
        page = (await browser.get("/apps/hub/token")).text
        assert 'value="86400"' in page
        assert '<option value="604800" selected>' in page
        assert "not advised" not in page
        made = await send(browser, "/apps/hub/token", expires_in="604800")
        assert "Your new token" in made.text
        assert "Made on the page of tokens" in made.text


async def test_files_are_kept_for_ever_under_the_address_with_their_hash_only(site: Site) -> None:
    async with site.visit() as browser:
        page = (await browser.get("/apps/hub/login")).text
        address = page.partition('<link rel="stylesheet" href="')[2].partition('"')[0]
        file = await browser.get(address)
        tag = file.headers["etag"]
        assert file.headers["cache-control"] == "public, max-age=31536000, immutable"
        for held in (tag, f'W/{tag}, "x"', f'"x",{tag}', "*"):
            again = await browser.get(address, headers={"if-none-match": held})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await browser.get(address, headers={"if-none-match": '"x"'})).status_code == 200
        for other in ("/apps/hub/static/base.css", "/apps/hub/static/base.css?v=old", "/apps/hub/logo"):
            assert (await browser.get(other)).headers["cache-control"] == "public, no-cache"
        assert (await browser.get("/apps/hub/static/base.py")).status_code == 404


async def test_every_page_is_under_two_policies_and_is_not_kept(site: Site) -> None:
    async with site.visit("ada") as browser:
        for path in ("/apps/hub/home", "/apps/hub/token", "/apps/hub/nothing", "/apps/hub/spawn/ada"):
            answer = await browser.get(path)
            policies = answer.headers.get_list("content-security-policy")
            assert len(policies) == 2, path
            assert "default-src 'none'; script-src 'self';" in policies[1]
            assert answer.headers["cache-control"] == "no-store"
