"""Ways in at hosts of apps that must not be any: for strangers, for neighbours, and with what was stolen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest
from guarding import Line, echoing, part, start, told
from own_hosts import (
    DOMAIN,
    ENTRY,
    LOGIN,
    PAGE,
    PASS,
    app_origin,
    ask,
    browser,
    held,
    hub_origin,
    sign_in,
    socket_at,
    visiting,
    with_hosts,
)

from apphub.kit.secrets import Keys
from apphub.passes.tokens import Claims, Entry, Signer
from hubs import RunningHub

NONCE = "0" * 63 + "1"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHub]:
    with with_hosts(tmp_path_factory.mktemp("tls")) as hub:
        for user in ("ada", "bob"):
            start(hub, user, "lab")
        yield hub


@pytest.fixture(scope="module")
def lab(hub: RunningHub) -> str:
    return app_origin(hub, "ada", "lab")


@pytest.fixture(scope="module")
def bobs(hub: RunningHub) -> str:
    return app_origin(hub, "bob", "lab")


@pytest.fixture(scope="module")
def ada(hub: RunningHub, lab: str) -> Iterator[httpx.Client]:
    with visiting(hub, "ada", f"{lab}/") as client:
        yield client


@pytest.fixture(scope="module")
def bob(hub: RunningHub, bobs: str) -> Iterator[httpx.Client]:
    with visiting(hub, "bob", f"{bobs}/") as client:
        yield client


@pytest.fixture(scope="module")
def signer(hub: RunningHub) -> Signer:
    """The hub's own: what only it can make, made wrong."""
    return Signer(Keys.load(hub.data_dir / "secret.key"))


def assert_shut(answer: httpx.Response) -> None:
    assert answer.status_code in (302, 401, 403, 404, 424, 503), (answer.status_code, answer.text[:300])
    assert "headers" not in answer.text
    assert PASS not in answer.headers.get("set-cookie", "")


def way_in(client: httpx.Client, origin: str) -> tuple[str, str]:
    """Where the hub sends somebody who has signed in and asks for an app, and their browser's nonce."""
    asked = client.get(f"{origin}/page")
    assert asked.status_code == 302, asked.text
    answer = client.get(asked.headers["location"])
    assert answer.status_code == 302, answer.text
    return answer.headers["location"], held(client, origin, ENTRY)


def test_a_pass_of_another_server_opens_nothing(ada: httpx.Client, lab: str, bobs: str) -> None:
    assert_shut(ask(bobs, cookie=f"{PASS}={held(ada, lab)}"))
    assert ask(lab, cookie=f"{PASS}={held(ada, lab)}").status_code == 200


def test_a_name_that_a_neighbour_could_set_opens_nothing_and_shuts_nobody_out(
    ada: httpx.Client, bob: httpx.Client, lab: str
) -> None:
    good = held(ada, lab)
    for name in ("apphub-pass", "__host-apphub-pass", "__Secure-apphub-pass", "__Host-apphub-pass2"):
        assert_shut(ask(lab, cookie=f"{name}={good}"))
        for junk in ("x", good, held(bob, str(app_of(bob)))):
            answer = ask(lab, cookie=f"{name}={junk}; " * 8 + f"{PASS}={good}")
            assert answer.status_code == 200, (name, answer.text)
            assert told(answer)["x-forwarded-user"] == ["ada"]


def app_of(client: httpx.Client) -> str:
    """The origin of the app whose pass a browser holds."""
    (host,) = [one.domain for one in client.cookies.jar if one.name == PASS]
    return f"https://{host}"


def test_a_code_needs_the_nonce_of_the_browser_that_asked_for_it(hub: RunningHub, lab: str) -> None:
    with visiting(hub, "ada") as client:
        address, nonce = way_in(client, lab)
        path = address.removeprefix(lab)
        assert path.startswith("/.apphub/enter?code=")
        for wrong in (
            "",
            f"{ENTRY}={NONCE}",
            f"apphub-entry={nonce}",
            f"{ENTRY}={hashed(nonce)}",
            f"{ENTRY}=",
        ):
            answer = ask(lab, path, cookie=wrong, **{k.replace("-", "_"): v for k, v in PAGE.items()})
            assert answer.status_code == 403, wrong
            assert_shut(answer)
            assert answer.headers["content-type"].startswith("text/plain")
        assert client.get(address).headers["location"] == "/page"
        assert client.get(f"{lab}/").status_code == 200


def hashed(nonce: str) -> str:
    return hashlib.sha256(nonce.encode()).hexdigest()


def test_nobody_is_signed_in_as_somebody_else_by_an_address(hub: RunningHub, lab: str) -> None:
    """An attacker's own way in, sent to a victim who is on their way too."""
    with visiting(hub, "ada") as attacker, browser() as victim:
        address, _ = way_in(attacker, lab)
        victim.get(f"{lab}/")
        assert held(victim, lab, ENTRY)
        assert_shut(victim.get(address))
        assert not [one for one in victim.cookies.jar if one.name == PASS]


def test_a_code_of_another_server_or_kind_or_time_opens_nothing(
    hub: RunningHub, ada: httpx.Client, bob: httpx.Client, lab: str, bobs: str, signer: Signer
) -> None:
    said = part(held(ada, lab), 1)
    now = datetime.now(UTC)
    right = Entry(said["aud"], said["sid"], hashed(NONCE))
    elsewhere = Entry(part(held(bob, bobs), 1)["aud"], said["sid"], hashed(NONCE))
    foreign = Signer(Keys(b"a key of somebody else, and long enough"))
    times = {"now": now, "expires": now + timedelta(minutes=5)}
    claims = Claims(said["aud"], "ada", said["sid"], 0)
    codes = {
        "another server": signer.entry(elsewhere, now),
        "over": signer.entry(right, now - timedelta(seconds=62)),
        "another key": foreign.entry(right, now),
        "no session": signer.entry(Entry(said["aud"], "nobody", hashed(NONCE)), now),
        "somebody who may not": signer.entry(
            Entry(said["aud"], part(held(bob, bobs), 1)["sid"], hashed(NONCE)), now
        ),
        "a pass": held(ada, lab),
        "a pass with a state": signer.make(claims, groups=frozenset(), url=f"{lab}/", **times),
        "an identity": said["idt"],
        "nothing": "",
        "junk": "a.b.c",
        "long": "x" * 9000,
    }
    for way, code in codes.items():
        answer = ask(lab, f"/.apphub/enter?code={code}", cookie=f"{ENTRY}={NONCE}")
        assert answer.status_code == 403, way
        assert_shut(answer)
    good = ask(lab, f"/.apphub/enter?code={signer.entry(right, now)}", cookie=f"{ENTRY}={NONCE}")
    assert good.status_code == 302
    assert PASS in good.headers["set-cookie"]
    # A code lets nobody in by itself.
    code = signer.entry(right, now)
    assert_shut(ask(lab, cookie=f"{PASS}={code}"))
    assert_shut(ask(lab, authorization=f"Bearer {code}", cookie=f"{ENTRY}={NONCE}"))


def test_the_way_in_leads_nowhere_but_to_that_host(
    hub: RunningHub, ada: httpx.Client, lab: str, signer: Signer
) -> None:
    said = part(held(ada, lab), 1)
    code = signer.entry(Entry(said["aud"], said["sid"], hashed(NONCE)), datetime.now(UTC))
    for goal in ("https://elsewhere.test/", "//elsewhere.test", "/\\elsewhere.test", "javascript:alert(1)"):
        answer = ask(lab, f"/.apphub/enter?code={code}&next={quote(goal)}", cookie=f"{ENTRY}={NONCE}")
        assert answer.status_code == 302
        assert answer.headers["location"] == "/", goal


def test_the_hub_leads_only_to_hosts_of_apps_that_run(hub: RunningHub, ada: httpx.Client, lab: str) -> None:
    host = lab.removeprefix("https://")
    name, _, port = host.partition(":")
    for goal in (
        f"http://{host}/", f"https://{name}/", f"https://{name}:1/", f"https://{host}.elsewhere.test/",
        f"https://elsewhere.test/{host}/", f"https://x@{host}/", f"https://elsewhere.test\\@{host}/",
        f"https://elsewhere.test#.{host}/", f"https://elsewhere.test?.{host}/", f"//{host}/",
        f"https://lab-ada-999.{DOMAIN}:{port}/", f"https://{DOMAIN}:{port}/", f"https:{host}/",
        f" https://{host}/", f"https://{host}//elsewhere.test", f"https://{host}", f"https://{host}/\\x",
    ):  # fmt: skip
        address = f"{hub_origin(hub)}/hub/edge/login?next={quote(goal)}&state={hashed(NONCE)}"
        answer = ada.get(address)
        assert answer.status_code == 404, (goal, answer.headers.get("location"))
    # Without a state of the right shape the visitor begins anew, with a nonce of their own.
    for state in ("", "x", hashed(NONCE).upper(), hashed(NONCE) + "0"):
        address = f"{hub_origin(hub)}/hub/edge/login?next={quote(lab + '/x?y')}&state={state}"
        assert ada.get(address).headers["location"] == f"{lab}/x?y"


def test_nothing_of_the_hub_is_at_the_host_of_an_app(hub: RunningHub, ada: httpx.Client, lab: str) -> None:
    mine = f"{PASS}={held(ada, lab)}; {LOGIN}={held(ada, hub_origin(hub), LOGIN)}"
    token = {"authorization": f"Bearer {hub.token}"}
    for path in ("/hub/home", "/hub/api/users", "/hub/login", "/hub/edge/check/x", "/hub/edge/used/server-1",
                 "/hub/edge/enter", "/user/bob/lab/", "/services/x/"):  # fmt: skip
        # The app has all paths, and its visitors alone reach it.
        assert_shut(ask(lab, path))
        assert ask(lab, path, cookie=mine).json()["path"] == path
    for path in ("/.apphub", "/.apphub/", "/.apphub/check/x", "/.apphub/used/server-1", "/.apphub/login",
                 "/.apphub/enter/", "/.apphub/enter/x", "/x/../.apphub/check/x", "/.apphub/%65nter"):  # fmt: skip
        answer = ask(lab, path, cookie=mine)
        assert_shut(answer)
        # The edge decodes letters that need no encoding: then it is the way in, by which nobody comes so.
        assert answer.status_code == (403 if "%65" in path else 404), path
    # Nor at one that no app has, however it is written; nor the way in at the hub's.
    for host in (f"x.{DOMAIN}", f"X.{DOMAIN.upper()}", f"x.{DOMAIN}.", f"x.{DOMAIN}:1", f"lab-ada-1.{DOMAIN}:443",
                 f"a.b.{DOMAIN}", f"x.{DOMAIN.title()}:{hub.address.port}"):  # fmt: skip
        for path in ("/hub/api/users", "/hub/login", "/hub/health", "/hub/home"):
            answer = ask(hub_origin(hub), path, host=host, **token)
            assert answer.status_code in (404, 424), (host, path, answer.status_code, answer.text[:200])
    assert ask(hub_origin(hub), "/hub/edge/enter?code=x", cookie=f"{ENTRY}={NONCE}").status_code == 404
    assert ask(hub_origin(hub), "/hub/api/users", **token).status_code == 200


def test_the_path_below_the_hub_is_no_second_way_in(hub: RunningHub, ada: httpx.Client, lab: str) -> None:
    for name in (PASS, "apphub-pass"):
        answer = ask(hub_origin(hub), "/user/ada/lab/", cookie=f"{name}={held(ada, lab)}")
        assert answer.status_code == 307
        assert answer.headers["location"] == f"{lab}/"


FOREIGN = (
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"},
    {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"},
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "iframe"},
    {"sec_fetch_site": "same-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "object"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "nonsense", "sec_fetch_mode": "cors"},
    {"origin": "https://neighbour.apps.hosts.test"},
    {"origin": "null"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda headers: " ".join(headers.values()))
def test_pages_of_neighbours_cannot_act_with_a_visitors_pass(
    ada: httpx.Client, lab: str, headers: dict[str, str]
) -> None:
    good = f"{PASS}={held(ada, lab)}"
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"):
        answer = ask(lab, "/x", method, cookie=good, **headers)
        assert answer.status_code == 403, method
    events = ask(lab, "/events", cookie=good, accept="text/event-stream", **headers)
    assert events.status_code == 403


def test_pages_of_neighbours_may_lead_their_visitors_here(ada: httpx.Client, lab: str) -> None:
    good = f"{PASS}={held(ada, lab)}"
    leads = {"sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    for site in ("same-site", "cross-site"):
        assert ask(lab, "/x", cookie=good, sec_fetch_site=site, **leads).status_code == 200
        assert ask(lab, "/x", "POST", cookie=good, sec_fetch_site=site, **leads).status_code == 403
    for own in ({"sec_fetch_site": "same-origin"}, {"sec_fetch_site": "none"}, {"origin": lab}):
        assert ask(lab, "/x", "POST", cookie=good, **own).status_code == 200


def test_a_websocket_needs_a_pass_and_comes_from_the_apps_own_pages(
    hub: RunningHub, ada: httpx.Client, lab: str, bobs: str
) -> None:
    good = {"cookie": f"{PASS}={held(ada, lab)}"}
    cases = {
        101: [good, {**good, "origin": lab}],
        403: [
            *({**good, "origin": other} for other in (bobs, hub_origin(hub), f"https://{DOMAIN}", "null")),
            {**good, "origin": lab, "sec-fetch-site": "same-site", "sec-fetch-mode": "websocket"},
        ],
        401: [{}, {"cookie": f"apphub-pass={held(ada, lab)}"}],
    }
    for wanted, all_headers in cases.items():
        for headers in all_headers:
            with socket_at(hub, lab, headers) as line:
                assert line.opened == wanted, (headers, line.opened)


def test_a_request_that_names_two_hosts_is_refused(hub: RunningHub, ada: httpx.Client, lab: str) -> None:
    host, good = lab.removeprefix("https://"), held(ada, lab)
    for other in (hub_origin(hub).removeprefix("https://"), f"x.{DOMAIN}"):
        for first, second in ((host, other), (other, host)):
            with Line(hub) as line:
                line.say(
                    f"GET / HTTP/1.1\r\nHost: {first}\r\nHost: {second}\r\nCookie: {PASS}={good}\r\n\r\n"
                )
                assert line.status() == 400


def test_the_hubs_cookies_are_for_its_host_alone_and_a_plain_one_counts_for_nothing(hub: RunningHub) -> None:
    with visiting(hub, "ada") as ada, visiting(hub, "bob") as bob:
        secret = held(ada, hub_origin(hub), LOGIN)
        (kept,) = [one for one in ada.cookies.jar if one.name == LOGIN]
        assert (kept.path, kept.secure, kept.domain_specified) == ("/", True, False)
        plain = f"jupyterhub-hub-login={secret}"
        assert ask(hub_origin(hub), "/hub/api/user", cookie=plain).status_code == 403
        # A neighbour's page sets its own sign-in for the whole domain: the visitor stays who they are.
        both = f"jupyterhub-hub-login={held(bob, hub_origin(hub), LOGIN)}; {LOGIN}={secret}"
        assert ask(hub_origin(hub), "/hub/api/user", cookie=both).json()["name"] == "ada"
        assert ask(hub_origin(hub), "/hub/api/user", cookie=f"{LOGIN}={secret}").json()["name"] == "ada"
        out = ada.get(f"{hub_origin(hub)}/hub/logout")
        assert out.status_code == 302
        assert LOGIN not in {one.name for one in ada.cookies.jar}


def test_the_way_in_ends_with_the_sign_in(hub: RunningHub, lab: str) -> None:
    with visiting(hub, "ada") as client:
        address, _ = way_in(client, lab)
        client.get(f"{hub_origin(hub)}/hub/logout")
        assert_shut(client.get(address))


def test_without_https_and_below_a_base_path_names_are_plain_and_all_else_is_the_same() -> None:
    hub = RunningHub({**echoing(), "apps_domain": "apps.other.test", "base_url": "/base/"})
    hub.config["public_url"] = f"http://hub.hosts.test:{hub.address.port}"
    with hub:
        start(hub, "ada", "lab")
        origin = app_origin(hub, "ada", "lab")
        assert origin.startswith("http://lab-ada-")
        with browser() as client:
            page = client.get(f"{origin}/base/hub/x?y=1", follow_redirects=True)
            assert page.url.path == "/base/hub/login"
            query = parse_qs(urlsplit(str(page.url)).query)
            assert query["next"][0].startswith("/base/hub/edge/login?next=")
            answer = sign_in(client, page, "ada", xsrf="_xsrf")
            assert str(answer.url) == f"{origin}/base/hub/x?y=1"
            assert answer.json()["path"] == "/base/hub/x?y=1"
            good = held(client, origin, "apphub-pass")
            assert_shut(ask(origin, cookie=f"{PASS}={good}"))
            below = client.get(f"{hub.config['public_url']}/base/user/ada/lab/z")
            assert below.headers["location"] == f"{origin}/z"
            missing = client.get(f"{origin.replace('lab-ada', 'old')}/base/user/x?y=1", follow_redirects=True)
            assert str(missing.url).startswith(f"{origin}/base/user/x?y=1")
