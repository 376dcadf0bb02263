"""Pages about one server and about one's account, as somebody with a browser meets them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from page_site import BY, Site, open_site, send

from apphub.servers.model import ServerKey
from apphub.shares.model import With

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Site]:
    async with open_site(tmp_path_factory.mktemp("care") / "data", timeouts={"undo": "1s"}) as site:
        yield site


async def test_the_page_of_a_server_tells_what_happened_and_why_in_the_visitors_language(site: Site) -> None:
    await site.meet("ida")
    await site.failed("ida", "lab")
    async with site.visit("ida", language="it") as browser:
        page = await browser.get("/apps/hub/server/ida/lab")
        assert page.status_code == 200
        assert "Server richiesto" in page.text
        assert "non è stato trovato" in page.text
        report = await browser.get("/apps/hub/report/ida/lab")
        assert report.headers["content-type"].startswith("text/plain")
        assert report.headers["content-disposition"] == 'attachment; filename="report-ida-lab.txt"'
        assert "The program '/nowhere/app' was not found." in report.text


async def test_nobody_else_sees_the_page_the_report_or_may_do_anything(site: Site) -> None:
    await site.meet("jon", "mallory")
    await site.failed("jon", "lab")
    async with site.visit("mallory") as browser:
        for path in ("server", "report", "progress"):
            assert (await browser.get(f"/apps/hub/{path}/jon/lab")).status_code == 404, path
        for path in ("rename", "restart", "delete", "keep", "share", "unshare", "check", "start", "stop"):
            answer = await send(browser, f"/apps/hub/{path}/jon/lab", display_name="x", name="mallory")
            # Whoever may share nothing at all is told so; of the server itself nothing is told.
            assert answer.status_code == (403 if "share" in path else 404), path
    server = await site.hub.servers.find(ServerKey("jon", "lab"))
    assert server is not None
    assert (server.display_name, server.removal, server.attempt) == ("", None, 1)


async def test_every_change_needs_the_value_of_our_own_pages(site: Site) -> None:
    await site.meet("kim")
    await site.failed("kim", "lab")
    async with site.visit("kim") as browser:
        verbs = ["rename", "restart", "delete", "keep", "share", "unshare", "check"]
        for path in [
            *(f"{verb}/kim/lab" for verb in verbs),
            "password",
            "sign-ins/end",
            "sign-ins/end-others",
        ]:
            answer = await send(browser, f"/apps/hub/{path}", _xsrf="forged")
            assert answer.status_code == 403, path


async def test_a_server_is_called_what_its_owner_says(site: Site) -> None:
    await site.meet("lea")
    await site.failed("lea", "lab")
    async with site.visit("lea") as browser:
        done = await send(browser, "/apps/hub/rename/lea/lab", display_name="  My   <b>lab</b> ")
        assert done.headers["location"] == "/apps/hub/server/lea/lab"
        home = (await browser.get("/apps/hub/home")).text
        assert "My &lt;b&gt;lab&lt;/b&gt;" in home
        assert "<b>lab" not in home
        bad = await send(browser, "/apps/hub/rename/lea/lab", display_name="x" * 300)
        assert bad.status_code == 400
        await send(browser, "/apps/hub/rename/lea/lab", display_name="")
        assert "My &lt;b&gt;" not in (await browser.get("/apps/hub/home")).text


async def test_what_was_deleted_can_be_brought_back_and_is_gone_after_a_while(site: Site) -> None:
    await site.meet("max")
    await site.failed("max", "lab")
    key = ServerKey("max", "lab")
    async with site.visit("max") as browser:
        await send(browser, "/apps/hub/delete/max/lab")
        assert "Deleted." in (await browser.get("/apps/hub/home")).text
        await send(browser, "/apps/hub/keep/max/lab")
        kept = await site.hub.servers.find(key)
        assert kept is not None
        assert kept.removal is None
        await send(browser, "/apps/hub/delete/max/lab")
        gone = await site.hub.servers.settled(kept.id, lambda row: row is None, timedelta(seconds=20))
        assert gone is None
        assert (await send(browser, "/apps/hub/keep/max/lab")).status_code == 404
        assert (await send(browser, "/apps/hub/delete/max")).status_code in (400, 404)


async def test_a_start_takes_a_deletion_back(site: Site) -> None:
    await site.meet("nat")
    await site.failed("nat", "lab")
    await site.hub.care.delete(BY, ServerKey("nat", "lab"), timedelta(hours=1))
    server = await site.failed("nat", "lab")
    assert server.removal is None


async def test_the_form_is_tried_while_it_is_filled_in(site: Site) -> None:
    await site.meet("ole")
    async with site.visit("ole") as browser:
        fine = await send(browser, "/apps/hub/check/ole", profile="app", **{"option:size": "3"})
        assert fine.json() == {"problems": []}
        bad = await send(browser, "/apps/hub/check/ole", profile="app", **{"option:size": "many"})
        assert "many" in bad.json()["problems"][0]["message"]
        name = await send(browser, "/apps/hub/check/ole", profile="app", server_name="Not A Name")
        assert name.json()["problems"][0]["field"] == "server_name"
        other = await send(browser, "/apps/hub/check/ole", profile="lab")
        assert other.json()["problems"][0]["message"].endswith(
            "Ask an administrator to add you to one of these groups."
        )
    assert await site.hub.servers.find(ServerKey("ole", "")) is None


async def test_a_guest_sees_a_server_at_home_and_not_its_log(site: Site) -> None:
    await site.meet("pia", "bob")
    await site.failed("pia", "lab")
    await site.hub.shares.grant(
        await site.actor("admin"), BY, ServerKey("pia", "lab"), With(user="bob"), None
    )
    async with site.visit("bob") as bob:
        assert "of pia" in (await bob.get("/apps/hub/home")).text
        assert (await bob.get("/apps/hub/server/pia/lab")).status_code == 404, (
            "to open it is not to read its log"
        )


async def test_sign_ins_are_listed_and_can_be_ended(site: Site) -> None:
    async with site.visit("quin") as here, site.visit("quin") as there, site.visit("mallory") as mallory:
        page = (await here.get("/apps/hub/sign-ins")).text
        assert page.count("this one") == 1
        ids = [part.partition('"')[0] for part in page.split('name="id" value="')[1:]]
        assert len(ids) == 1
        await send(mallory, "/apps/hub/sign-ins/end", id=ids[0])
        assert (await there.get("/apps/hub/home")).status_code == 200, (
            "nobody ends the sign-in of somebody else"
        )
        await send(here, "/apps/hub/sign-ins/end", id=ids[0])
        assert (await there.get("/apps/hub/home")).status_code == 302
        assert (await here.get("/apps/hub/home")).status_code == 200
        async with site.visit("quin") as third:
            await send(third, "/apps/hub/sign-ins/end-others")
            assert (await here.get("/apps/hub/home")).status_code == 302
            assert (await third.get("/apps/hub/home")).status_code == 200


async def test_a_new_password_ends_other_sign_ins_and_tokens_only_where_asked(tmp_path: Path) -> None:
    login = {"password": {"enabled": True}, "admins": ["admin"], "shared_password": None}
    old, new = "the old password", "the new password"
    async with open_site(tmp_path / "data", login=login) as site:
        await site.hub.login.set_password(BY, "admin", old)
        admin = await site.actor("admin")
        made = await site.hub.access.create_token(admin, BY, "admin", scopes=None, note="", life=None)
        async with site.visit() as here, site.visit() as there:
            for browser in (here, there):
                await send(browser, "/apps/hub/login", username="admin", password=old)
            wrong = await send(here, "/apps/hub/password", old="no", new=new, again=new)
            assert wrong.status_code == 403
            assert "not your present password" in wrong.text
            differs = await send(here, "/apps/hub/password", old=old, new=new, again=old)
            assert differs.status_code == 400
            short = await send(here, "/apps/hub/password", old=old, new="x", again="x")
            assert short.status_code == 400
            assert (await there.get("/apps/hub/home")).status_code == 200
            done = await send(here, "/apps/hub/password", old=old, new=new, again=new)
            assert done.headers["location"] == "/apps/hub/sign-ins?changed=1"
            assert (await here.get("/apps/hub/sign-ins?changed=1")).status_code == 200
            assert (await there.get("/apps/hub/home")).status_code == 302
            assert await site.hub.access.by_token(made.secret) is not None
            await send(here, "/apps/hub/password", old=new, new=old, again=old, tokens="revoke")
            assert await site.hub.access.by_token(made.secret) is None


async def test_guessing_the_present_password_is_throttled(tmp_path: Path) -> None:
    login = {
        "password": {"enabled": True},
        "admins": ["admin"],
        "failures_per_account": 2,
        "shared_password": None,
    }
    async with open_site(tmp_path / "data", login=login) as site:
        await site.hub.login.set_password(BY, "admin", "the old password")
        async with site.visit() as browser:
            await send(browser, "/apps/hub/login", username="admin", password="the old password")
            tries = [
                (
                    await send(
                        browser,
                        "/apps/hub/password",
                        old="guess",
                        new="a new password",
                        again="a new password",
                    )
                )
                for _ in range(3)
            ]
            assert [one.status_code for one in tries] == [403, 403, 429]
            assert "retry-after" in tries[-1].headers
