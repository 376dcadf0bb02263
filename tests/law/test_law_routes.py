"""Every route says what it takes. What is open to everybody is listed here, each with its reason."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import cast

from litestar.handlers import HTTPRouteHandler

from all_routes import Route, routes
from apphub.access.scopes import SCOPES
from apphub.app import build_app, render_error
from apphub.hub import Hub
from apphub.kit.urls import Urls
from apphub.web.dispatch import Dispatch
from apphub.web.needs import Need, manages, needs, needs_list, public, signed_in, visitor

#: Open to whoever comes. A line more here is a decision, and looks like one in a review.
OPEN: dict[Route, str] = {
    ("GET", "/"): "sends people to the hub",
    ("GET", "/hub"): "sends people home or to the sign-in page",
    ("GET", "/hub/{rest}"): "says that nothing is there, in the look of the hub",
    ("GET", "/hub/edge/enter"): "proves itself with a code and with what the browser was given for it",
    ("GET", "/hub/login"): "nobody is signed in before it",
    ("POST", "/hub/login"): "proves itself with a password in the form",
    ("GET", "/hub/logout"): "ends the caller's own sign-in, if there is one",
    ("POST", "/hub/logout"): "ends the caller's own sign-in, if there is one",
    ("GET", "/hub/static/{name}"): "files that come with the hub",
    ("GET", "/hub/logo"): "a file that comes with the hub",
    ("POST", "/hub/security/csp-report"): "browsers send it without credentials; it is logged, bounded",
    ("GET", "/hub/api"): "clients look at the version before they have a token",
    ("GET", "/hub/health"): "load balancers have no token; it tells nothing",
    ("HEAD", "/hub/health"): "the same",
    ("GET", "/hub/api/health"): "the same",
    ("HEAD", "/hub/api/health"): "the same",
    ("GET", "/hub/api/openapi.json"): "what the API looks like is in the documentation too",
    ("GET", "/hub/api-docs"): "the same, as a page",
    ("GET", "/hub/api/authorizations/token"): "proves itself with a password in the body",
    ("POST", "/hub/api/authorizations/token"): "proves itself with a password in the body",
    ("POST", "/hub/api/users/{user}/tokens"): "proves itself with a password in the body, or by its token",
    ("POST", "/hub/api/oauth2/token"): "proves itself with the client's secret and a code",
    ("GET", "/hub/api/oauth2/authorize"): "sends people to sign in first, with their request kept",
    ("POST", "/hub/api/oauth2/authorize"): "the same",
    ("GET", "/hub/.well-known/jwks.json"): "public keys are public",
    ("GET", "/hub/edge/hubs"): "only edges of other machines reach it; it tells where machines are",
    ("GET", "/hub/edge/output/{server}/{attempt}"): "proves itself with a word that only hubs can derive",
    ("POST", "/hub/edge/used/{app}"): "only the edge can reach it; that an app is used changes no right",
}
#: The edge asks here about every first request to a guarded app, whatever its method.
CHECK = "/hub/edge/check/{rest}"


def _needs(handler: HTTPRouteHandler) -> list[Need]:
    return [guard for guard in handler.guards or () if isinstance(guard, Need)]


def test_there_are_routes_to_look_at() -> None:
    found = routes()
    assert len(found) > 80
    assert max(Counter(route for route, _ in found).values()) == 1


def test_every_route_states_its_need_exactly_once() -> None:
    wrong = [route for route, handler in routes() if len(_needs(handler)) != 1]
    assert wrong == []


def test_what_is_open_to_everybody_is_open_by_decision() -> None:
    found = {
        route for route, handler in routes() if isinstance(_needs(handler)[0], public) and route[1] != CHECK
    }
    assert found - OPEN.keys() == set(), "open, and not on the list"
    assert OPEN.keys() - found == set(), "on the list, and not open"


def test_every_open_route_says_why_in_the_code_too() -> None:
    for route, handler in routes():
        need = _needs(handler)[0]
        assert not isinstance(need, public) or len(need.why) > 10, route


def test_needs_name_scopes_that_exist() -> None:
    for route, handler in routes():
        need = _needs(handler)[0]
        if isinstance(need, needs):
            assert set(need.scopes) <= SCOPES.keys(), route
            assert need.scopes, route
        if isinstance(need, needs_list | manages):
            assert need.scope in SCOPES, route


def test_what_is_made_without_a_name_in_the_path_needs_its_scope_everywhere() -> None:
    # A filter has nothing to apply to there: `admin:users!user=ada` must not make others.
    for (method, path), handler in routes():
        need = _needs(handler)[0]
        if method != "GET" and "{" not in path and isinstance(need, needs):
            assert need.everywhere or need.scopes[0] in ("shutdown", "proxy", "read:hub"), (method, path)


def test_reading_changes_nothing_by_the_look_of_its_need() -> None:
    # Requests that any link can cause (GET) never ask for a right to change something; the exceptions
    # show a form, or what a change would come to, before anything happens.
    forms = {
        "/hub/spawn/{user}",
        "/hub/spawn/{user}/{server}",
        "/hub/api/profiles/{profile}/preview",
        "/hub/admin/add",
        "/hub/admin/new-profile",
    }
    for (method, path), handler in routes():
        need = _needs(handler)[0]
        if method == "GET" and isinstance(need, needs) and path not in forms:
            reading = ("read:", "list:", "access:", "admin-ui", "admin:auth_state", "proxy", "shares")
            assert all(scope.startswith(reading) for scope in need.scopes), path


def test_pages_are_for_people_and_the_api_for_everybody_known() -> None:
    for (_, path), handler in routes():
        need = _needs(handler)[0]
        if isinstance(need, visitor):
            assert not path.startswith("/hub/api/"), path
        if isinstance(need, signed_in):
            assert path.startswith(("/hub/api/", "/hub/user/", "/hub/user-redirect")), path


def test_every_handler_is_reached_the_short_way() -> None:
    hub = SimpleNamespace(urls=Urls("/", "http://127.0.0.1:8081", None))
    app = build_app(cast("Hub", hub))
    short = Dispatch(app, render_error).handlers
    long = [
        f"{route.path} {handler.fn.__qualname__}"
        for route in app.routes
        for handler in getattr(route, "route_handlers", ())
        if handler not in short and "options_handler" not in handler.fn.__qualname__
    ]
    assert long == []
    assert len(short) > 80
