"""What once went wrong in hubs like this one, and must not here: one test for each lesson.

The lessons (R1 …) and where they come from are listed in docs/explain/security.md, with the
other tests that hold them. These go through the public port of a real hub.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from apphub.runtimes.process import procfs
from hubs import PASSWORD, TRIAL, RunningHub

CALLBACK = "http://127.0.0.1:9/services/outside/oauth_callback"
CONFIG = {
    **TRIAL,
    "login": {**TRIAL["login"], "failures_per_account": 1000, "failures_per_address": 10_000},
    "groups": {"analysts": {"members": ["ada"]}},
    "services": [
        {"name": "narrow", "api_token": "narrow-token-0123456789abcdef", "roles": ["narrow"]},
        {"name": "keeper", "api_token": "keeper-token-0123456789abcdef", "roles": ["keeper"]},
        {
            "name": "outside",
            "api_token": "outside-token-0123456789abcdef",
            "oauth_redirect_uri": CALLBACK,
            "oauth_client_allowed_scopes": ["read:users!user"],
        },
    ],
    "roles": [
        {
            "name": "narrow",
            "scopes": ["admin:users!user=ada", "admin:groups!group=analysts"],
            "services": ["narrow"],
        },
        {
            "name": "keeper",
            "scopes": ["admin:users", "admin:groups", "tokens", "admin:services", "users:shares"],
            "services": ["keeper"],
        },
        {"name": "user", "scopes": ["self", "access:services!service=outside", "shares!user"]},
    ],
}
NARROW, KEEPER = CONFIG["services"][0]["api_token"], CONFIG["services"][1]["api_token"]


@pytest.fixture(scope="module")
def open_hub() -> Iterator[RunningHub]:
    with RunningHub(CONFIG) as hub:
        hub.token_for("ada")
        hub.token_for("eve")
        yield hub


def allowed(hub: RunningHub, browser: httpx.Client, **more: str) -> httpx.Response:
    """The visitor allows the service `outside`."""
    query = {"client_id": "service-outside", "redirect_uri": CALLBACK, "response_type": "code", **more}
    path = f"hub/api/oauth2/authorize?{httpx.QueryParams(query)}"
    browser.get(path)
    return hub.post_form(browser, path, scopes="read:users!user")


def traded(hub: RunningHub, code: str, **more: str) -> httpx.Response:
    form = {
        "client_id": "service-outside",
        "client_secret": CONFIG["services"][2]["api_token"],
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": CALLBACK,
        **more,
    }
    with hub.client() as client:
        return client.post("hub/api/oauth2/token", data=form)


def code_of(answer: httpx.Response) -> str:
    assert answer.status_code == 302, answer.text
    return parse_qs(urlsplit(answer.headers["location"]).query)["code"][0]


def test_r1_text_from_an_address_stays_text_on_every_page_that_shows_it(open_hub: RunningHub) -> None:
    hostile = "\"><script>alert(1)</script><a href='javascript:alert(1)'>"
    code = (
        open_hub.ask("PUT", "users/ada/servers/shown"),
        open_hub.ask("POST", "share-codes/ada/shown", json={}),
    )
    secret = code[1].json()["code"]
    with open_hub.sign_in("eve") as browser:
        for path in (
            f"hub/accept-share?code={secret}&next={quote(hostile)}",
            f"hub/spawn/eve?next={quote(hostile)}",
            f"hub/login?next={quote(hostile)}",
            f"hub/{quote(hostile)}",
            f"hub/user/{quote(hostile, safe='')}",
            f"hub/api/oauth2/authorize?client_id=service-outside&response_type=code&state={quote(hostile)}",
            "hub/api-docs",
        ):
            page = browser.get(path)
            assert "<script>alert" not in page.text, path
            assert "javascript:" not in page.text.lower().replace("&#39;javascript:", ""), path
            policies = page.headers.get_list("content-security-policy")
            if page.headers["content-type"].startswith("text/html") and page.text:
                assert any("script-src 'self'" in policy for policy in policies), path
                assert "unsafe" not in " ".join(policies), path
                assert "x-apphub-policy" not in page.headers, path


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("users", {"usernames": ["mallory"]}),
        ("users/mallory", {}),
        ("groups", {"groups": ["mallory"]}),
        ("groups/mallory", {}),
    ],
)
def test_r2_a_right_to_one_is_no_right_to_make_others(
    open_hub: RunningHub, path: str, body: dict[str, object]
) -> None:
    assert open_hub.ask("GET", "users/ada", token=NARROW).status_code == 200
    assert open_hub.ask("POST", path, token=NARROW, json=body).status_code in (403, 404)
    assert open_hub.ask("GET", "users/mallory").status_code == 404
    assert open_hub.ask("GET", "groups/mallory").status_code == 404


def test_r3_a_huge_name_is_refused_quickly_and_never_logged_whole(open_hub: RunningHub) -> None:
    huge = "x" * 25_000
    with open_hub.client() as browser:
        browser.get("hub/login")
        page = open_hub.post_form(browser, "hub/login", username=huge, password=huge)
        assert page.status_code == 403
        assert len(page.content) < 20_000
        answer = browser.post("hub/api/authorizations/token", json={"username": huge, "password": "x"})
        assert answer.status_code == 403
        assert len(answer.content) < 500
        too_much = browser.post("hub/api/authorizations/token", content=b"x" * 70_000)
        assert too_much.status_code == 413
    assert "x" * 300 not in open_hub.logs


#: What a browser says of a request that another site's page makes.
ELSEWHERE = (
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
    {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
    {"origin": "https://evil.example"},
    {"origin": "null"},
)


@pytest.mark.parametrize("headers", ELSEWHERE, ids=str)
def test_r4_no_mode_of_fetching_lets_another_site_change_anything(
    open_hub: RunningHub, headers: dict[str, str]
) -> None:
    with open_hub.sign_in("eve") as browser:
        value = browser.cookies["_xsrf"]
        for path in ("hub/spawn", "hub/start/eve", "hub/accept-share?code=x", "hub/token"):
            assert browser.post(path, headers=headers, data={"_xsrf": value}).status_code == 403, path
        api = browser.post("hub/api/users/eve/server", headers={**headers, "x-xsrftoken": value}, json={})
        assert api.status_code == 403
        assert browser.post("hub/api/users/eve/server", json={}).status_code == 403  # no value at all
    assert open_hub.server("eve").get("pending") is None


@pytest.mark.parametrize("path", ["hub/spawn/eve?profile=hello", "hub/spawn?profile=hello", "hub/start/eve"])
def test_r4_r22_an_address_alone_starts_nothing(open_hub: RunningHub, path: str) -> None:
    with open_hub.sign_in("eve") as browser:
        assert browser.get(path, follow_redirects=True).status_code in (200, 405)
    assert open_hub.ask("GET", "users/eve").json()["servers"] == {}


@pytest.mark.parametrize(
    "goal",
    [
        "//evil.example/",
        "///evil.example/",
        "/\\evil.example/",
        "\\\\evil.example/",
        "/\t/evil.example/",
        "https://evil.example/",
        "https:evil.example",
        "javascript:alert(1)",
        "{own}//evil.example/",
        "{own}@evil.example/",
        "/%5cevil.example/",
        "/%2fevil.example/",
        "/hub/\r\nset-cookie: a=b",
    ],
)
def test_r5_signing_in_leads_to_no_other_host(open_hub: RunningHub, goal: str) -> None:
    asked = quote(goal.format(own=open_hub.origin), safe="")
    with open_hub.client() as browser:
        browser.get("hub/login")
        answer = open_hub.post_form(browser, f"hub/login?next={asked}", username="ada", password=PASSWORD)
        assert answer.status_code == 302
        goes = urlsplit(str(browser.base_url.join(answer.headers["location"])))
        again = browser.get(f"hub/login?next={asked}")
    assert goes.netloc == urlsplit(open_hub.url).netloc
    for location in (answer.headers["location"], again.headers["location"]):
        assert not location.startswith(("//", "/\\")), location
        assert "evil.example" not in urlsplit(location).netloc
    assert "a" not in answer.cookies


def test_r6_nobody_gives_more_than_they_hold(open_hub: RunningHub) -> None:
    ask = open_hub.ask
    assert ask("PATCH", "users/eve", token=KEEPER, json={"admin": True}).status_code == 403
    assert ask("POST", "users/mallory", token=KEEPER, json={"admin": True}).status_code == 403
    for scopes in (["admin:servers"], ["shutdown"], ["access:servers"]):
        made = ask("POST", "users/admin/tokens", token=KEEPER, json={"scopes": scopes})
        assert made.status_code in (400, 403), scopes
    for body in ({}, {"scopes": ["inherit"]}, {"scopes": ["inherit", "proxy"]}):
        # "All that the administrator may" is cut down to what the maker may, too.
        made = ask("POST", "users/admin/tokens", token=KEEPER, json=body)
        assert made.status_code == 201
        assert ask("GET", "proxy", token=made.json()["token"]).status_code == 403
        assert ask("GET", "users/ada", token=made.json()["token"]).status_code == 200
    service = {
        "oauth_redirect_uri": CALLBACK,
        "oauth_client_allowed_scopes": ["admin:servers"],
        "api_token": "k" * 32,
    }
    assert ask("POST", "services/mallory", token=KEEPER, json=service).status_code == 403
    everything = {**service, "oauth_client_allowed_scopes": ["inherit"]}
    assert ask("POST", "services/mallory", token=KEEPER, json=everything).status_code == 403
    modest = {**service, "oauth_client_allowed_scopes": ["read:users!user", "read:users"]}
    assert ask("POST", "services/modest", token=KEEPER, json=modest).status_code == 201
    assert ask("POST", "services/mallory", token=KEEPER, json={"admin": True}).status_code in (400, 403)
    share = ask("POST", "shares/ada/shown", token=open_hub.token_for("eve"), json={"user": "eve"})
    assert share.status_code in (403, 404)


def test_r7_a_token_in_an_address_signs_nobody_in(open_hub: RunningHub) -> None:
    with open_hub.client() as client:
        for name in ("token", "access_token", "api_token"):
            page = client.get(f"hub/home?{name}={open_hub.token}")
            assert page.headers.get("location", "").startswith("/hub/login"), name
            assert client.get(f"hub/api/user?{name}={open_hub.token}").status_code == 403, name
            assert "jupyterhub-hub-login" not in client.cookies


def test_r7_cookies_are_closed_to_scripts_and_bound_to_the_hubs_paths(open_hub: RunningHub) -> None:
    with open_hub.client() as browser:
        browser.get("hub/login")
        answer = open_hub.post_form(browser, "hub/login", username="ada", password=PASSWORD)
    cookies = {line.partition("=")[0]: line.lower() for line in answer.headers.get_list("set-cookie")}
    assert "httponly" in cookies["jupyterhub-hub-login"]
    assert "path=/hub/" in cookies["jupyterhub-hub-login"]
    assert "domain=" not in "".join(cookies.values())


def test_r7_a_tossed_value_of_somebody_else_is_worth_nothing(open_hub: RunningHub) -> None:
    with open_hub.sign_in("eve") as attacker, open_hub.sign_in("ada") as victim:
        tossed = attacker.cookies["_xsrf"]
        victim.cookies.delete("_xsrf")
        victim.cookies.set("_xsrf", tossed, domain="127.0.0.1", path="/hub/")
        assert victim.post("hub/token", data={"_xsrf": tossed, "note": "x"}).status_code == 403
        sent = victim.post("hub/api/users/ada/tokens", headers={"x-xsrftoken": tossed}, json={})
        assert sent.status_code == 403


def test_r8_signing_out_ends_the_session_and_every_token_it_granted(open_hub: RunningHub) -> None:
    with open_hub.sign_in("ada") as browser:
        kept = dict(browser.cookies)
        token = traded(open_hub, code_of(allowed(open_hub, browser))).json()["access_token"]
        assert open_hub.ask("GET", "user", token=token).json()["name"] == "ada"
        open_hub.post_form(browser, "hub/logout")
    assert open_hub.ask("GET", "user", token=token).status_code == 403
    with open_hub.client() as thief:
        thief.cookies.update(kept)
        assert thief.get("hub/home").headers["location"].startswith("/hub/login")
        assert thief.get("hub/api/user").status_code == 403


def test_r15_one_person_cannot_be_signed_up_again_by_another_spelling(open_hub: RunningHub) -> None:
    for spelling in ("ADA", "\uff21\uff24\uff21", "Ada"):
        token = open_hub.token_for(spelling)
        assert open_hub.ask("GET", "user", token=token).json()["name"] == "ada"
    names = [user["name"] for user in open_hub.ask("GET", "users?name_filter=da").json()]
    assert names.count("ada") == 1
    assert [name for name in names if name.lower() == "ada"] == ["ada"]


def test_r16_a_code_is_taken_once_by_its_own_client_with_its_own_proof(open_hub: RunningHub) -> None:
    with open_hub.sign_in("ada") as browser:
        code = code_of(allowed(open_hub, browser))
        assert traded(open_hub, code, client_secret="wrong").status_code == 401
        assert traded(open_hub, code, client_id="service-keeper").status_code in (400, 401)
        assert traded(open_hub, code).status_code == 200
        assert traded(open_hub, code).status_code == 400
        proof = {
            "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
            "code_challenge_method": "S256",
        }
        for verifier in ({}, {"code_verifier": "x" * 43}):
            assert (
                traded(open_hub, code_of(allowed(open_hub, browser, **proof)), **verifier).status_code == 400
            )
        right = {"code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"}  # RFC 7636, appendix B
        assert traded(open_hub, code_of(allowed(open_hub, browser, **proof)), **right).status_code == 200


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:9/services/outside/oauth_callback.evil.example",
        "http://127.0.0.1:9/services/outside/oauth_callback/../../evil",
        "http://evil.example/services/outside/oauth_callback",
        "http://127.0.0.1:9@evil.example/services/outside/oauth_callback",
        "//evil.example/services/outside/oauth_callback",
        "HTTP://127.0.0.1:9/services/outside/oauth_callback?x",
    ],
)
def test_r20_an_app_is_sent_codes_at_its_exact_address_only(open_hub: RunningHub, uri: str) -> None:
    with open_hub.sign_in("ada") as browser:
        query = httpx.QueryParams(
            client_id="service-outside", redirect_uri=uri, response_type="code", state="s"
        )
        answer = browser.get(f"hub/api/oauth2/authorize?{query}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


def test_r17_secrets_are_in_no_command_line_and_a_servers_token_can_do_two_things(
    open_hub: RunningHub,
) -> None:
    assert open_hub.ask("POST", "users/ada/servers/lab").status_code in (201, 202)
    open_hub.ready("ada", "lab")
    pids = [*open_hub.server_pids(), open_hub.pid, open_hub.edge_pid]
    secrets = {open_hub.token, NARROW, KEEPER, PASSWORD}
    for pid in pids:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        secrets |= {
            line.partition(b"=")[2].decode()
            for line in environment
            if line.startswith(b"JUPYTERHUB_API_TOKEN=")
        }
    assert len(secrets) == 5  # that of the server is among them
    for process in procfs.scan():
        words = Path(f"/proc/{process.pid}/cmdline")
        line = words.read_bytes().decode(errors="replace") if words.exists() else ""
        if process.pid in pids:
            assert not [secret for secret in secrets if secret in line]
    own = next(iter(secrets - {open_hub.token, NARROW, KEEPER, PASSWORD}))
    scopes = open_hub.ask("GET", "user", token=own).json()["scopes"]
    assert {scope.partition("!")[0] for scope in scopes} <= {
        "users:activity",
        "read:users:activity",
        "access:servers",
        "read:users:name",
        "read:users:groups",
    }
    assert {scope.partition("!")[2] for scope in scopes} == {"user=ada", "server=ada/lab"}
    assert open_hub.ask("DELETE", "users/ada/servers/lab", token=own).status_code in (403, 404)
    assert open_hub.ask("POST", "users/ada/tokens", token=own, json={}).status_code == 403
