"""Whatever changes something leaves an entry in the audit log: all routes are walked, and asked."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from apphub.app import ROUTES
from apphub.shares.model import Level
from hubs import PASSWORD, TRIAL, RunningHub, until

CALLBACK = "http://127.0.0.1:9/services/outside/oauth_callback"
SECRET = "outside-token-0123456789abcdef"
CONFIG: dict[str, Any] = {
    **TRIAL,
    "services": [{"name": "outside", "api_token": SECRET, "oauth_redirect_uri": CALLBACK}],
    "roles": [
        {
            "name": "user",
            "scopes": ["self", "access:services!service=outside", "shares!user", "read:users:name"],
        }
    ],
    "profiles": [{"slug": "hello", "kind": "hello", "groups": "everyone", "default": True}],
}

Route = tuple[str, str]

#: Routes that change nothing which the log is about, each with the reason.
QUIET: dict[Route, str] = {
    ("POST", "/hub/api/users/{user}/activity"): "what somebody was seen doing, not what they changed",
    ("POST", "/hub/api/users/{user}/admin-access"): "always refused",
    ("POST", "/hub/api/profiles/{profile}/validate"): "a dry run",
    ("POST", "/hub/api/proxy"): "publishes what is so",
    ("PATCH", "/hub/api/proxy"): "the same",
    ("POST", "/hub/check/{user}"): "a dry run of a start",
    ("POST", "/hub/check/{user}/{server}"): "the same",
    ("POST", "/hub/security/csp-report"): "a report of a browser, logged elsewhere",
    ("POST", "/hub/edge/used/{app}"): "what an app was seen doing",
    **{
        (method, path): "tells where somebody stands, and changes nothing"
        for method in ("POST", "PUT", "PATCH", "DELETE")
        for path in ("/hub/user/{user}", "/hub/user/{user}/{rest}")
    },
}
#: Reads that change something all the same.
GETS: frozenset[Route] = frozenset(
    {
        ("GET", "/hub/api/authorizations/token"),
        ("GET", "/hub/logout"),
        ("GET", "/hub/edge/login"),
    }
)


def changing_routes() -> set[Route]:
    """All routes that may change something."""
    found = set(GETS)
    for handler in ROUTES:
        for path in handler.paths:
            for method in map(str, handler.http_methods):
                if method not in ("GET", "HEAD", "OPTIONS") and "edge/check" not in path:
                    found.add((method, re.sub(r"\{(\w+):\w+\}", r"{\1}", path)))
    return found


#: What the page of a server does: verb, action, fields.
CARE: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("rename", "server.change", {"display_name": "Renamed"}),
    ("restart", "server.start", {}),
    ("delete", "server.delete", {}),
    ("keep", "server.undelete", {}),
)
#: Changes whose entry another test looks for, for this hub has no passwords of people's own.
ELSEWHERE = {("POST", "/hub/password")}


class Walk:
    """Asks a hub, and looks for what each request left in the log."""

    def __init__(self, hub: RunningHub) -> None:
        self.hub = hub
        self.walked: set[Route] = set()

    def api(self, method: str, route: str, action: str, body: Any = None, **names: str) -> Any:
        """One request to the API; its answer."""
        path = route.removeprefix("/hub/api/").format(**names)
        sent = {} if body is None else {"json": body}
        answer = self.hub.ask(method, path, **sent)
        self.noted(method, route, action, answer)
        return answer.json() if answer.content else None

    def form(
        self,
        browser: httpx.Client,
        route: str,
        action: str,
        fields: dict[str, str] | None = None,
        **names: str,
    ) -> httpx.Response:
        """A form of a page, sent; its answer."""
        answer = self.hub.post_form(browser, route[1:].format(**names), **(fields or {}))
        self.noted("POST", route, action, answer)
        return answer

    def noted(self, method: str, route: str, action: str, answer: httpx.Response) -> None:
        """The request has been done, and an entry says so."""
        assert answer.status_code < 400, (method, route, answer.status_code, answer.text)
        entries = self.hub.ask("GET", f"audit?request={answer.headers['x-request-id']}").json()["entries"]
        found = [entry for entry in entries if entry["action"] == action]
        assert found, f"{method} {route} left no entry {action}: {entries}"
        for entry in found:
            assert entry["address"] == "127.0.0.1", entry
            assert entry["actor"] not in ("", "anonymous") or action == "login", entry
            assert PASSWORD not in str(entry), entry
        self.walked.add((method, route))


@pytest.fixture(scope="module")
def walk() -> Iterator[Walk]:
    with RunningHub(CONFIG) as hub:
        yield Walk(hub)


def _people(walk: Walk) -> None:
    users, one = "/hub/api/users", "/hub/api/users/{user}"
    walk.api("POST", users, "user.create", {"usernames": ["ada", "bob"]})
    walk.api("POST", one, "user.create", user="kim")
    walk.api("PATCH", one, "user.admin", {"admin": True}, user="kim")
    walk.api("PATCH", one, "user.rename", {"name": "kay"}, user="kim")
    walk.api("DELETE", one, "user.delete", user="kay")
    groups, group = "/hub/api/groups", "/hub/api/groups/{group}"
    walk.api("POST", groups, "group.create", {"groups": ["g1"], "users": ["ada"]})
    walk.api("POST", group, "group.create", {"users": ["ada"]}, group="g2")
    walk.api("POST", f"{group}/users", "group.members.add", {"users": ["bob"]}, group="g2")
    walk.api("DELETE", f"{group}/users", "group.members.remove", {"users": ["bob"]}, group="g2")
    walk.api("PUT", f"{group}/properties", "group.properties", {"a": 1}, group="g2")
    walk.api("DELETE", group, "group.delete", group="g2")


def _servers(walk: Walk) -> None:
    own, named = "/hub/api/users/{user}/server", "/hub/api/users/{user}/servers/{server}"
    walk.api("POST", own, "server.start", user="bob")
    walk.api("DELETE", own, "server.stop", user="bob")
    until(lambda: walk.hub.server("bob").get("stopped"), "the server has stopped")
    walk.api("PATCH", own, "server.change", {"display_name": "Mine"}, user="bob")
    walk.api("PUT", named, "server.create", user="bob", server="lab")
    walk.api("PATCH", named, "server.change", {"display_name": "Lab"}, user="bob", server="lab")
    walk.api("POST", named, "server.start", user="bob", server="lab")
    walk.api("DELETE", named, "server.remove", {"remove": True}, user="bob", server="lab")
    walk.walked.add(("PUT", own))  # a default server cannot be made: everybody has one


def _tokens(walk: Walk) -> None:
    made = walk.api("POST", "/hub/api/users/{user}/tokens", "token.create", user="ada")
    walk.api("DELETE", "/hub/api/users/{user}/tokens/{token}", "token.revoke", user="ada", token=made["id"])
    proof = {"username": "ada", "password": PASSWORD}
    for method in ("GET", "POST"):
        walk.api(method, "/hub/api/authorizations/token", "token.create", proof)
        walk.api(method, "/hub/api/authorizations/token", "login", proof)


def _profiles(walk: Walk) -> None:
    all_, one = "/hub/api/profiles", "/hub/api/profiles/{profile}"
    walk.api("POST", all_, "profile.create", {"slug": "mine", "kind": "hello"})
    walk.api("PUT", one, "profile.change", {"kind": "hello", "description": "1"}, profile="mine")
    walk.api("PATCH", one, "profile.change", {"description": "2"}, profile="mine")
    walk.api("POST", f"{one}/rollback", "profile.change", {"version": 1}, profile="mine")
    made = walk.api("POST", f"{one}/bindings", "profile.bind", {"user": "ada"}, profile="mine")
    walk.api(
        "DELETE", f"{one}/bindings/{{binding}}", "profile.unbind", profile="mine", binding=str(made["id"])
    )
    walk.api("DELETE", one, "profile.withdraw", profile="mine")
    walk.api("POST", f"{all_}/_settings/reload", "settings.reload")


def _services_and_shares(walk: Walk) -> str:
    service = "/hub/api/services/{service}"
    walk.api("POST", service, "service.create", {"url": "http://127.0.0.1:9"}, service="extra")
    walk.api("DELETE", service, "service.delete", service="extra")
    walk.api("PUT", "/hub/api/users/{user}/servers/{server}", "server.create", user="bob", server="open")
    share, key = "/hub/api/shares/{user}/{server}", {"user": "bob", "server": "open"}
    for whom in ({"user": "ada"}, {"group": "g1"}):
        walk.api("POST", share, "share.grant", whom, **key)
    gone = {"owner": "bob", "server": "open"}
    walk.api("DELETE", "/hub/api/users/{user}/shared/{owner}/{server}", "share.revoke", user="ada", **gone)
    walk.api("DELETE", "/hub/api/groups/{group}/shared/{owner}/{server}", "share.revoke", group="g1", **gone)
    walk.api("POST", share, "share.grant", {"user": "ada"}, **key)
    walk.api("PATCH", share, "share.revoke", {"user": "ada"}, **key)
    walk.api("DELETE", share, "share.revoke", **key)
    codes = "/hub/api/share-codes/{user}/{server}"
    walk.api("POST", codes, "share.code", **key)
    walk.api("DELETE", codes, "share.code.revoke", **key)
    return str(walk.api("POST", codes, "share.code", **key)["code"])


def _pages(walk: Walk, code: str) -> None:
    hub = walk.hub
    with hub.client() as browser:
        browser.get("hub/login")
        walk.form(browser, "/hub/login", "session.start", {"username": "ada", "password": PASSWORD})
        walk.form(browser, "/hub/accept-share", "share.accept", {"code": code})
        walk.form(browser, "/hub/spawn", "server.start", {"profile": "hello", "name": "one"})
        for verb in ("spawn", "start"):
            for path in (f"/hub/{verb}/{{user}}", f"/hub/{verb}/{{user}}/{{server}}"):
                _stopped(walk, "ada", "two" if "server" in path else "")
                walk.form(browser, path, "server.start", {"profile": "hello"}, user="ada", server="two")
        _visit(walk, browser)
        whom = {"name": "bob", "kind": "user", "level": next(iter(Level)).value, "life": ""}
        for path in ("/hub/{verb}/{{user}}", "/hub/{verb}/{{user}}/{{server}}"):
            for verb, action in (("share", "share.grant"), ("unshare", "share.revoke")):
                walk.form(browser, path.format(verb=verb), action, whom, user="ada", server="two")
            ends = {"level": "use", "life": "3600"}
            walk.form(browser, path.format(verb="share-link"), "share.code", ends, user="ada", server="two")
        for path in ("/hub/stop/{user}", "/hub/stop/{user}/{server}"):
            walk.form(browser, path, "server.stop", user="ada", server="two")
        _stopped(walk, "ada", "two")
        for path in ("/hub/{verb}/{{user}}", "/hub/{verb}/{{user}}/{{server}}"):
            for verb, action, fields in CARE:
                if verb in ("delete", "keep") and "server" not in path:
                    walk.walked.add(("POST", path.format(verb=verb).replace("{{", "{")))  # everybody has one
                    continue
                if verb != "keep":
                    _stopped(walk, "ada", "two" if "server" in path else "")
                walk.form(browser, path.format(verb=verb), action, fields, user="ada", server="two")
        walk.form(browser, "/hub/token", "token.create", {"note": "mine"})
        mine = hub.ask("GET", "users/ada/tokens").json()["api_tokens"]
        number = next(token["id"] for token in mine if token["note"] == "mine")
        walk.form(browser, "/hub/token/revoke", "token.revoke", {"id": number})
        _grant(walk, browser)
        walk.form(
            browser, "/hub/token/revoke-app", "token.revoke", {"client_id": "JupyterHub service outside"}
        )
        walk.form(browser, "/hub/logout", "session.end")
    with hub.sign_in("ada") as browser, hub.sign_in("ada"):
        walk.form(browser, "/hub/sign-ins/end-others", "session.end")
        walk.walked.add(("POST", "/hub/sign-ins/end"))  # the same action, of one
        walk.noted("GET", "/hub/logout", "session.end", browser.get("hub/logout"))


def _admin_pages(walk: Walk) -> None:
    hub, users, group = walk.hub, "/hub/admin/users/{user}", "/hub/admin/groups/{group}"
    with hub.sign_in("admin") as browser:

        def form(
            route: str, action: str, fields: dict[str, str] | None = None, **names: str
        ) -> httpx.Response:
            return walk.form(browser, route, action, fields, **names)

        form("/hub/admin/groups", "group.create", {"name": "team"})
        form("/hub/admin/add", "user.create", {"text": "zoe,team", "do": "add"})
        form(f"{group}/add", "group.members.add", {"names": "bob"}, group="team")
        form(f"{group}/remove", "group.members.remove", {"user": "bob"}, group="team")
        form(f"{group}/delete", "group.delete", group="team")
        form(users, "user.rename", {"name": "zara"}, user="zoe")
        form(users, "user.admin", {"admin": "true"}, user="zara")
        form(f"{users}/delete", "user.delete", user="zara")
        made = hub.ask("POST", "users/bob/tokens").json()["id"]
        form("/hub/admin/tokens/{user}/revoke", "token.revoke", {"id": made}, user="bob")
        hub.ask("POST", "services/other", json={"url": "http://127.0.0.1:9"})
        form("/hub/admin/services/{service}/delete", "service.delete", service="other")
        form("/hub/admin/status/reload", "settings.reload")
        form("/hub/admin/users/bulk", "job.create", {"do": "stop", "user": "bob"})
        job = form("/hub/admin/servers/bulk", "job.create", {"do": "stop", "server": "bob/"}).headers[
            "location"
        ]
        number = job.rpartition("/")[2]
        form("/hub/admin/jobs/{job}/cancel", "job.cancel", job=number)
        one = "/hub/admin/profiles/{profile}"
        form(
            "/hub/admin/new-profile", "profile.create", {"slug": "page", "text": "kind: hello", "do": "save"}
        )
        form(one, "profile.change", {"text": "kind: hello\nicon: map", "do": "save"}, profile="page")
        form(f"{one}/bind", "profile.bind", {"whom": "user:bob"}, profile="page")
        binding = str(hub.ask("GET", "profiles/page").json()["bindings"][0]["id"])
        form(f"{one}/unbind", "profile.unbind", {"binding": binding}, profile="page")
        form(f"{one}/rollback", "profile.change", {"version": "1"}, profile="page")
        form(f"{one}/withdraw", "profile.withdraw", profile="page")


def _stopped(walk: Walk, user: str, name: str) -> None:
    walk.hub.ask("DELETE", f"users/{user}/servers/{name}" if name else f"users/{user}/server")
    until(lambda: walk.hub.server(user, name).get("stopped", True), "the server has stopped")


def _visit(walk: Walk, browser: httpx.Client) -> None:
    """An app that the edge guards, opened by its owner and by an administrator."""
    hub = walk.hub
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
    guarded = {"slug": "guarded", "command": command, "groups": "everyone"}
    assert hub.ask("POST", "profiles", json=guarded).status_code == 201
    hub.ask("POST", "users/ada/servers/eyes", json={"profile": "guarded"})
    hub.ready("ada", "eyes")
    answer = browser.get("hub/edge/login?next=/user/ada/eyes/")
    walk.noted("GET", "/hub/edge/login", "server.open", answer)
    with hub.sign_in("admin") as admin:
        admin.get("hub/edge/login?next=/user/ada/eyes/")
    seen = hub.ask("GET", "audit?action=server.open&target=server:ada/eyes").json()["entries"]
    assert [entry["actor"] for entry in seen] == ["user:admin", "user:ada"]
    again = browser.get("hub/edge/login?next=/user/ada/eyes/")  # a second tab opens nothing anew
    assert again.status_code == 302
    assert len(hub.ask("GET", "audit?action=server.open&target=server:ada/eyes").json()["entries"]) == 2


def _grant(walk: Walk, browser: httpx.Client) -> None:
    query = {"client_id": "service-outside", "redirect_uri": CALLBACK, "response_type": "code"}
    path = f"hub/api/oauth2/authorize?{httpx.QueryParams(query)}"
    browser.get(path)
    answer = walk.hub.post_form(browser, path)
    walk.noted("POST", "/hub/api/oauth2/authorize", "oauth.grant", answer)
    code = parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]
    form = {"client_id": "service-outside", "client_secret": SECRET, "grant_type": "authorization_code"}
    with walk.hub.client() as service:
        traded = service.post("hub/api/oauth2/token", data={**form, "code": code, "redirect_uri": CALLBACK})
    walk.noted("POST", "/hub/api/oauth2/token", "oauth.token", traded)
    token = traded.json()["access_token"]
    assert SECRET not in walk.hub.ask("GET", "audit/export").text
    assert token not in walk.hub.ask("GET", "audit/export").text


def test_every_request_that_changes_something_leaves_an_entry(walk: Walk) -> None:
    _people(walk)
    _servers(walk)
    _tokens(walk)
    _profiles(walk)
    _pages(walk, _services_and_shares(walk))
    _admin_pages(walk)
    walk.walked.add(("POST", "/hub/api/shutdown"))  # the next test's
    left = changing_routes() - walk.walked - QUIET.keys() - ELSEWHERE
    assert left == set(), "walked by no step, and not known to be quiet"
    assert QUIET.keys() <= changing_routes(), "known to be quiet, and not there"


def test_the_end_of_the_hub_and_what_the_settings_change_are_in_it_too(walk: Walk) -> None:
    hub = walk.hub
    first = hub.ask("GET", "audit?actor=settings&target=service:outside").json()["entries"]
    assert [entry["after"]["url"] for entry in first] == [None]
    assert hub.ask("POST", "shutdown", json={}).status_code == 202
    assert hub.wait() == 0
    hub.config["groups"] = {"declared": {"members": ["ada"], "properties": {"a": 1}}}
    hub.start()
    assert [entry["actor"] for entry in hub.ask("GET", "audit?action=hub").json()["entries"]] == [
        "user:admin"
    ]
    changed = hub.ask("GET", "audit?action=settings.apply&target=group:declared").json()["entries"]
    assert [(entry["before"], entry["after"]) for entry in changed] == [
        (None, {"properties": {"a": 1}, "members": ["ada"]})
    ]


def test_failed_sign_ins_are_in_it_but_guessing_does_not_fill_it(walk: Walk) -> None:
    hub = walk.hub
    wrong = "surely not the password"
    for _ in range(9):
        answer = hub.ask("POST", "authorizations/token", json={"username": "bob", "password": wrong})
        assert answer.status_code == 403
    failed = hub.ask("GET", "audit?action=login.fail&target=user:bob").json()["entries"]
    assert [entry["after"]["failures"] for entry in failed] == [8, 4, 2, 1]
    hub.ask("POST", "authorizations/token", json={"username": wrong, "password": "bob"})
    assert wrong not in hub.ask("GET", "audit/export").text  # typed into the wrong field, it stays unknown


def test_it_is_for_those_alone_who_may_read_it(walk: Walk) -> None:
    hub = walk.hub
    plain = hub.token_for("ada")
    for path in ("audit", "audit/export"):
        assert hub.ask("GET", path, token=plain).status_code == 403
        assert hub.ask("GET", path, token="none").status_code == 403
    for wrong in ("action=group.conquer", "from=yesterday", "limit=x", "before=-1"):
        answer = hub.ask("GET", f"audit?{wrong}")
        assert answer.status_code == 400, wrong
        assert "read:" not in answer.json()["message"]


def test_it_is_read_a_page_at_a_time_and_exported_whole(walk: Walk) -> None:
    hub = walk.hub
    lines = hub.ask("GET", "audit/export").text.splitlines()
    seen: list[int] = []
    page = hub.ask("GET", "audit?limit=7").json()
    while True:
        seen += [entry["id"] for entry in page["entries"]]
        if page["next"] is None:
            break
        page = hub.ask("GET", f"audit?limit=7&before={page['next']}").json()
    assert len(seen) == len(set(seen)) >= len(lines) > 50
    assert seen == sorted(seen, reverse=True)
    some = hub.ask("GET", "audit?action=group&from=2020-01-01&to=2999-01-01T00:00:00Z").json()["entries"]
    assert {entry["action"].partition(".")[0] for entry in some} == {"group"}
