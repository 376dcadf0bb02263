"""Ways in that must not be any: nothing passes the edge, and nothing makes it stumble.

A real hub, a real Envoy, and an app that tells what reached it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from guarding import (
    COOKIE,
    WebSocket,
    cookie,
    echoing,
    encoded,
    part,
    pass_of,
    signed_in,
    start,
    told,
)
from joserfc import jwt

from apphub.kit.secrets import Keys
from apphub.passes.tokens import Claims, Signer
from hubs import RunningHub

LAB = "/user/ada/lab/"
#: What the app's profile says of visitors, in headers of its own choice.
NAMES = {"user": "X-Who", "groups": "Remote-Groups"}


@pytest.fixture(scope="module")
def hub() -> Iterator[RunningHub]:
    config = echoing(identity_headers=NAMES)
    with RunningHub({**config, "groups": {"analysts": {"members": ["ada"]}}}) as hub:
        for user in ("ada", "bob"):
            start(hub, user, "lab")
        yield hub


@pytest.fixture(scope="module")
def ada(hub: RunningHub) -> Iterator[httpx.Client]:
    with signed_in(hub, "ada", LAB) as browser:
        yield browser


@pytest.fixture(scope="module")
def bob(hub: RunningHub) -> Iterator[httpx.Client]:
    with signed_in(hub, "bob", "/user/bob/lab/") as browser:
        yield browser


@pytest.fixture
def stranger(hub: RunningHub) -> Iterator[httpx.Client]:
    with hub.client() as client:
        yield client


def claims_of(token: str) -> Claims:
    said = part(token, 1)
    return Claims(said["aud"], said["sub"], said["sid"], int(said["ep"]))


def assert_shut(answer: httpx.Response) -> None:
    assert answer.status_code in (302, 401, 403), (answer.status_code, answer.text[:300])
    if answer.status_code == 302:
        assert answer.headers["location"].startswith("/hub/"), answer.headers["location"]
    assert "headers" not in answer.text


def test_the_app_learns_who_visits_and_sees_neither_pass_nor_cookies_of_the_hub(ada: httpx.Client) -> None:
    answer = ada.get(LAB, headers={"x-mine": "kept"})
    headers = told(answer)
    assert headers["x-who"] == ["ada"]
    assert headers["remote-groups"] == ["analysts"]
    assert headers["x-mine"] == ["kept"]
    assert headers["cookie"] == ["own=1"]
    identity = part(headers["x-apphub-identity"][0], 1)
    assert identity["sub"] == "ada"
    assert identity["aud"].endswith(LAB)
    assert not [name for name in headers if name.startswith(("x-hub", "x-envoy"))]


SPOOFED = (
    "X-Apphub-Identity", "x-APPHUB-identity", "X_Apphub_Identity", "x-apphub_identity",
    "X-Who", "x-who", "X_Who", "Remote-Groups", "remote_groups",
    "Remote-User", "REMOTE_USER", "X-Remote-User", "X-Forwarded-User", "X_Forwarded_User",
    "X-Forwarded-Groups", "X-Forwarded-Email", "X-Hub-Session", "X_Hub_Session", "X-Hub-Dst",
    "X-Hub-Scope", "X-Envoy-Original-Path", "X-Envoy-Auth-Headers-To-Remove", "X-Original-URL",
)  # fmt: skip


@pytest.mark.parametrize("by_token", [False, True], ids=["with a pass", "with a token"])
def test_who_somebody_claims_to_be_never_reaches_the_app(
    hub: RunningHub, ada: httpx.Client, stranger: httpx.Client, by_token: bool
) -> None:
    headers = dict.fromkeys(SPOOFED, "root")
    if by_token:
        answer = stranger.get(LAB, headers={**headers, "authorization": f"Bearer {hub.token_for('ada')}"})
    else:
        answer = ada.get(LAB, headers=headers)
    received = told(answer)
    assert received["x-who"] == ["ada"]
    # A name of somebody else's choice that no profile has: nobody believes it.
    received.pop("x-original-url")
    received.pop("x-remote-user")
    assert "root" not in str(received)


def test_headers_that_only_claim_who_visits_open_nothing(stranger: httpx.Client) -> None:
    assert_shut(stranger.get(LAB, headers=dict.fromkeys(SPOOFED, "ada")))


def test_a_pass_for_another_server_opens_nothing(bob: httpx.Client, stranger: httpx.Client) -> None:
    theirs = pass_of(bob, "/user/bob/lab/")
    answer = stranger.get(LAB, headers=cookie(theirs))
    assert_shut(answer)
    assert stranger.get("/user/bob/lab/", headers=cookie(theirs)).status_code == 200


def test_forged_and_foreign_passes_open_nothing(
    hub: RunningHub, ada: httpx.Client, stranger: httpx.Client
) -> None:
    good = pass_of(ada, LAB)
    head, body, signature = good.split(".")
    said = part(good, 1)
    elsewhere = Signer(Keys(b"a key of somebody else, and long enough"))
    kid = part(good, 0)["kid"]
    foreign = elsewhere.make(
        claims_of(good),
        groups=frozenset(),
        url="http://x/",
        now=_moment(0),
        expires=_moment(600),
    )
    forged = {
        "signature cut": f"{head}.{body}.",
        "signature changed": f"{head}.{body}.{signature[:-4]}AAAA",
        "claims changed": f"{head}.{encoded({**said, 'sub': 'root'})}.{signature}",
        "no algorithm": f"{encoded({'alg': 'none'})}.{body}.",
        "no algorithm, our key": f"{encoded({'alg': 'none', 'kid': kid})}.{body}.{signature}",
        "symmetric": f"{encoded({'alg': 'HS256', 'kid': kid})}.{body}.{signature}",
        "another key": foreign,
        "another key by our name": f"{head}.{foreign.split('.', 1)[1]}",
        "identity as pass": said["idt"],
        "empty": "",
        "nothing like it": "%00../../etc",
        "far too long": "x" * 20_000,
        "three dots": "...",
    }
    for way, value in forged.items():
        answer = stranger.get(LAB, headers=cookie(value))
        assert answer.status_code in (302, 401), (way, answer.status_code)
        assert "headers" not in answer.text, way
    assert stranger.get(LAB, headers=cookie(good)).status_code == 200


def test_what_an_app_learns_of_a_visitor_is_no_pass_anywhere(
    ada: httpx.Client, stranger: httpx.Client
) -> None:
    identity = told(ada.get(LAB))["x-apphub-identity"][0]
    assert_shut(stranger.get(LAB, headers=cookie(identity)))
    assert_shut(stranger.get(LAB, headers={"authorization": f"Bearer {identity}"}))
    assert stranger.get("hub/api/user", headers={"authorization": f"Bearer {identity}"}).status_code == 403


def test_a_pass_of_another_hub_or_issuer_opens_nothing(
    hub: RunningHub, ada: httpx.Client, stranger: httpx.Client
) -> None:
    """Signed with the hub's own key, yet not a pass: only the issuer tells them apart."""
    signer = Signer(Keys.load(hub.data_dir / "secret.key"))
    said = part(pass_of(ada, LAB), 1)
    for wrong in ({"iss": "apphub-identity"}, {"iss": "elsewhere"}, {"aud": ["server-0"]}):
        token = jwt.encode(signer._header, {**said, **wrong}, signer._key, algorithms=["ES256"])
        assert_shut(stranger.get(LAB, headers=cookie(token)))
    without_end = {name: value for name, value in said.items() if name != "exp"}
    token = jwt.encode(signer._header, {**without_end, "sid": "nobody"}, signer._key, algorithms=["ES256"])
    assert_shut(stranger.get(LAB, headers=cookie(token)))


def test_an_expired_pass_whose_sign_in_has_ended_opens_nothing(
    hub: RunningHub, stranger: httpx.Client
) -> None:
    signer = Signer(Keys.load(hub.data_dir / "secret.key"))
    with signed_in(hub, "ada", LAB) as browser:
        claims = claims_of(pass_of(browser, LAB))
        old = signer.make(claims, groups=frozenset(), url="x", now=_moment(-900), expires=_moment(-600))
        assert stranger.get(LAB, headers=cookie(old)).status_code == 200  # the sign-in lives: renewed
        hub.post_form(browser, "hub/logout")
        browser.get("hub/logout")
    assert_shut(stranger.get(LAB, headers=cookie(old)))


def test_a_websocket_needs_a_pass_and_comes_from_here(hub: RunningHub, ada: httpx.Client) -> None:
    good = cookie(pass_of(ada, LAB))
    own = f"http://{hub.address}"
    cases = {
        101: [good, {**good, "origin": own}, {**good, "origin": own.upper().replace("HTTP:", "http:")}],
        403: [
            {**good, "origin": other}
            for other in (
                "https://elsewhere.example", f"http://{hub.address}.elsewhere.example", "null", "",
                f"http://elsewhere.example#{hub.address}", f"http://x@{hub.address}", "http://127.0.0.1:1",
                f"file://{hub.address}", f"{hub.address}",
            )
        ],
        401: [{}, {"origin": own}, cookie("x"), {"authorization": "Bearer nonsense"}],
    }  # fmt: skip
    for wanted, all_headers in cases.items():
        for headers in all_headers:
            with WebSocket(hub, f"{LAB}ws", headers) as line:
                assert line.opened == wanted, (headers, line.opened)


def test_a_websocket_by_token_needs_the_right_one_and_comes_from_here(hub: RunningHub) -> None:
    def by(user: str, **more: str) -> int:
        with WebSocket(hub, f"{LAB}ws", {"authorization": f"token {hub.token_for(user)}", **more}) as line:
            return line.opened

    assert by("ada") == 101
    assert by("bob") == 403
    assert by("ada", origin="https://elsewhere.example") == 403


def test_tokens_of_the_hub_open_what_their_owner_may_and_never_reach_the_app(
    hub: RunningHub, ada: httpx.Client, stranger: httpx.Client
) -> None:
    for scheme in ("token", "Bearer", "bearer", "TOKEN"):
        answer = stranger.get(LAB, headers={"authorization": f"{scheme} {hub.token_for('ada')}"})
        assert answer.status_code == 200, answer.text
        assert "authorization" not in told(answer)
    theirs = {"authorization": f"token {hub.token_for('bob')}"}
    assert stranger.get(LAB, headers=theirs).status_code == 403
    # A token that may do less than its owner is no way in either.
    narrow = hub.ask(
        "POST", "users/ada/tokens", token=hub.token_for("ada"), json={"scopes": ["read:users!user"]}
    ).json()["token"]
    assert stranger.get(LAB, headers={"authorization": f"token {narrow}"}).status_code == 403
    # Beside ada's own pass too: a credential that was given counts.
    assert stranger.get(LAB, headers={**theirs, **cookie(pass_of(ada, LAB))}).status_code == 403


def test_an_apps_own_bearer_tokens_and_cookies_reach_it_unchanged(ada: httpx.Client) -> None:
    good = cookie(pass_of(ada, LAB))["cookie"]
    for own in ("Bearer app-token-1", "Basic dXNlcjpwYXNz", "Digest a=b", "Bearer a b c", "token", ""):
        headers = {"authorization": own, "cookie": f"theirs=1; {good}; more=2"}
        with httpx.Client(base_url=ada.base_url, trust_env=False) as client:
            answer = client.get(LAB, headers=headers)
        assert answer.status_code == 200, (own, answer.text)
        assert told(answer)["authorization"] == [own]
        assert told(answer)["cookie"] == ["theirs=1; more=2"]


def test_junk_beside_a_pass_costs_a_question_at_most(ada: httpx.Client, stranger: httpx.Client) -> None:
    """Another app may set a cookie of the same name on a longer path: it must not lock anybody out."""
    good = pass_of(ada, LAB)
    for junk in ("x", "a.b.c", "", "y" * 3000):
        answer = stranger.get(LAB, headers={"cookie": f"{COOKIE}={junk}; {COOKIE}={good}"})
        assert answer.status_code == 200, (junk, answer.text)
        assert "cookie" not in told(answer)


def _moment(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
