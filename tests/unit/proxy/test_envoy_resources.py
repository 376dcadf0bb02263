"""Scopes as the messages that Envoy is sent, held against the generic protobuf classes."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.lua import v3 as lua
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any, Struct
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from apphub.kit.addresses import Address
from apphub.proxy.base import Guard, Route, by_scope
from apphub.proxy.envoy.resources import hub_resources, resource
from apphub.web.body import LIMIT


def _generic(name: str, key: list[str], routes: list[route.Route]) -> route.ScopedRouteConfiguration:
    fragment = route.ScopedRouteConfigurationKeyFragment
    return route.ScopedRouteConfiguration(
        name=name,
        key=route.ScopedRouteConfigurationKey(fragments=[fragment(string_key=part) for part in key]),
        route_configuration=route.RouteConfiguration(
            name=name, virtual_hosts=[route.VirtualHost(name="v", domains=["*"], routes=routes)]
        ),
    )


#: Filters switched off, as the generic classes say it.
_OFF = Any(
    type_url="type.googleapis.com/envoy.config.route.v3.FilterConfig",
    value=bytes(route.FilterConfig(disabled=True)),
)
_UNGUARDED = {"edge": _OFF}


#: A request with two Host headers has no route.
_ONE_HOST = route.HeaderMatcher(
    name=":authority",
    string_match=matcher.StringMatcher(contains=","),
    invert_match=True,
    treat_missing_header_as_empty=True,
)


def _generic_route(prefix: str, target: str, *, guard: str = "", **action: object) -> route.Route:
    made = route.Route(
        match=route.RouteMatch(prefix=prefix, headers=[_ONE_HOST]),
        route=route.RouteAction(cluster="apps", timeout=timedelta(0), idle_timeout=timedelta(0), **action),
    )
    if guard:
        # The script says where the app is, and the route adds what the script was given for the browser.
        made.name = f"{guard}|x-hub-dst={target}"
        fresh = core.HeaderValue(key="set-cookie", value="%DYNAMIC_METADATA(apphub.guard:cookie)%")
        made.response_headers_to_add = [core.HeaderValueOption(header=fresh)]
        return made
    made.request_headers_to_add = [
        core.HeaderValueOption(
            header=core.HeaderValue(key="x-hub-dst", value=target),
            append_action=core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
        )
    ]
    made.typed_per_filter_config = _UNGUARDED
    return made


def _script(name: str) -> Any:
    return Any(
        type_url="type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute",
        value=bytes(lua.LuaPerRoute(name=name)),
    )


_WEBSOCKET = route.HeaderMatcher(name="upgrade", present_match=True)
_EVENTS = route.HeaderMatcher(name="accept", string_match=matcher.StringMatcher(exact="text/event-stream"))


def _only(plain: route.Route, header: route.HeaderMatcher, cluster: str, **more: object) -> route.Route:
    """The same for requests with this header, by this cluster."""
    return dataclasses.replace(
        plain,
        match=dataclasses.replace(plain.match, headers=[header, _ONE_HOST]),
        route=dataclasses.replace(plain.route, cluster=cluster),
        **more,
    )


def _with_sockets(plain: route.Route) -> list[route.Route]:
    """The routes of an app that asks by itself: websockets go by a cluster of their own."""
    return [_only(plain, _WEBSOCKET, "sockets"), plain]


def _with_streams(plain: route.Route, script: str = "streams") -> list[route.Route]:
    """The routes of a guarded app: those for websockets and event streams come first."""
    looked_at = {"typed_per_filter_config": {"edge": _script(script), "watch": _script("watch")}}
    return [
        _only(plain, _WEBSOCKET, "sockets", **looked_at),
        _only(plain, _EVENTS, "apps", **looked_at),
        plain,
    ]


def _life(seconds: int) -> route.RouteActionMaxStreamDuration:
    return route.RouteActionMaxStreamDuration(max_stream_duration=timedelta(seconds=seconds))


LAB = Address("127.0.0.1", 20001)
OWN = Address("::1", 20002)
GUARD = Guard("server-7", epoch=3, denied=("one", "two"), user_header="x-user", groups_header="x-groups")
TOLD = "server-7|3|x-user|x-groups|,one,two,"
UNTOLD = "server-8|0|||,,"


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        pytest.param(
            Route("/user/ada/lab/", LAB), _generic_route("/apps/user/ada/lab/", "127.0.0.1:20001"), id="open"
        ),
        pytest.param(
            Route("/user/ada/", OWN, Guard("server-8")),
            _generic_route("/apps/user/ada/", "[::1]:20002", guard=UNTOLD),
            id="guarded",
        ),
        pytest.param(
            Route("/user/ada/", OWN, strip=True),
            _generic_route("/apps/user/ada/", "[::1]:20002", prefix_rewrite="/"),
            id="stripped",
        ),
        pytest.param(
            Route("/user/ada/", OWN, stream_life=60),
            _generic_route("/apps/user/ada/", "[::1]:20002", max_stream_duration=_life(60)),
            id="short streams",
        ),
        pytest.param(
            Route("/user/ada/lab/", LAB, GUARD, strip=True, stream_life=3600),
            _generic_route(
                "/apps/user/ada/lab/",
                "127.0.0.1:20001",
                guard=TOLD,
                prefix_rewrite="/",
                max_stream_duration=_life(3600),
            ),
            id="guarded, stripped, short streams",
        ),
    ],
)
def test_a_route_is_the_message_the_generic_classes_would_write(made: Route, wanted: route.Route) -> None:
    content = resource("user/ada", (made,), "/apps/").content
    routes = _with_sockets(wanted) if made.guard is None else _with_streams(wanted)
    assert route.ScopedRouteConfiguration.parse(content) == _generic("user/ada", ["user", "ada"], routes)


def test_a_bare_address_leads_to_the_hub_for_pages_only() -> None:
    made = resource("user/ada", (Route("/user/ada/lab/", None, bare=True),), "/apps/")
    methods = matcher.StringMatcher(safe_regex=matcher.RegexMatcher(regex="GET|HEAD"))
    wanted = route.Route(
        match=route.RouteMatch(
            path="/apps/user/ada/lab",
            headers=[
                route.HeaderMatcher(name=":method", string_match=methods),
                route.HeaderMatcher(name="upgrade", present_match=True, invert_match=True),
            ],
        ),
        direct_response=route.DirectResponseAction(status=424),
        typed_per_filter_config=_UNGUARDED,
    )
    assert route.ScopedRouteConfiguration.parse(made.content) == _generic(
        "user/ada", ["user", "ada"], [wanted]
    )


def test_the_routes_of_a_scope_stand_in_the_order_given() -> None:
    made = resource("user/ada", (Route("/user/ada/lab/", LAB, GUARD), Route("/user/ada/", OWN)), "/")
    wanted = [
        *_with_streams(_generic_route("/user/ada/lab/", "127.0.0.1:20001", guard=TOLD)),
        *_with_sockets(_generic_route("/user/ada/", "[::1]:20002")),
    ]
    assert route.ScopedRouteConfiguration.parse(made.content) == _generic("user/ada", ["user", "ada"], wanted)


@pytest.mark.parametrize("change", [{"epoch": 4}, {"denied": ("one",)}, {"id": "server-9"}])
def test_whatever_a_guard_says_makes_another_version(change: dict[str, object]) -> None:
    def version(guard: Guard) -> str:
        return resource("user/ada", (Route("/user/ada/", LAB, guard),), "/").version

    assert version(GUARD) == version(structs.replace(GUARD))
    assert version(GUARD) != version(structs.replace(GUARD, **change))  # type: ignore[arg-type]


def _to_hub(on: str, codes: list[int], **more: object) -> route.RouteAction:
    """The way to a hub: another one where the first does not take the request."""
    another_host = route.RetryPolicyRetryHostPredicate(
        name="another",
        typed_config=Any(
            type_url="type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
        ),
    )
    retries = route.RetryPolicy(
        retry_on=on,
        num_retries=8,
        retry_host_predicate=[another_host],
        host_selection_retry_max_attempts=3,
        retriable_status_codes=codes,
        retriable_headers=[
            route.HeaderMatcher(
                name="x-hub-unsent",
                string_match=matcher.StringMatcher(safe_regex=matcher.RegexMatcher(regex="UH|UF")),
            )
        ],
        retry_back_off=route.RetryPolicyRetryBackOff(
            base_interval=timedelta(milliseconds=100), max_interval=timedelta(seconds=1)
        ),
    )
    return route.RouteAction(cluster="hub", timeout=timedelta(0), retry_policy=retries, **more)


@pytest.mark.parametrize("base", ["", "/apps"])
def test_the_scopes_of_the_hub_are_the_messages_the_generic_classes_would_write(base: str) -> None:
    regex = matcher.RegexMatcher(regex="GET|HEAD|PUT|DELETE|OPTIONS")
    repeatable = route.HeaderMatcher(name=":method", string_match=matcher.StringMatcher(safe_regex=regex))
    private = [
        route.Route(
            match=route.RouteMatch(prefix=f"{base}/hub/edge/{of_the_edge}"),
            direct_response=route.DirectResponseAction(status=404),
            typed_per_filter_config=_UNGUARDED,
        )
        for of_the_edge in ("check", "used", "hubs", "output")
    ]
    to_hub = [
        route.Route(
            match=route.RouteMatch(prefix="/", headers=[*headers, _ONE_HOST]),
            route=_to_hub(*retried),
            typed_per_filter_config=_UNGUARDED,
            request_body_buffer_limit=LIMIT,
        )
        for headers, retried in (
            (
                [repeatable],
                ("connect-failure,refused-stream,reset,retriable-status-codes,retriable-headers", [503]),
            ),
            ([], ("connect-failure,refused-stream,reset-before-request,retriable-headers", [])),
        )
    ]
    made = hub_resources(f"{base}/")
    assert [route.ScopedRouteConfiguration.parse(one.content) for one in made.values()] == [
        _generic("hub", [".", "-"], [*private, *to_hub]),
        _generic("hub/api", ["hub", "api"], to_hub),
    ]


@settings(deadline=None, max_examples=50)
@given(st.text(min_size=1, max_size=300).filter(lambda name: "/" not in name and name.isprintable()))
def test_any_name_survives_the_wire(name: str) -> None:
    made = resource(f"user/{name}", (Route(f"/user/{name}/", Address("127.0.0.1", 1)),), "/")
    read = route.ScopedRouteConfiguration.parse(made.content)
    assert read.name == f"user/{name}"
    assert read.key is not None
    assert [part.string_key for part in read.key.fragments] == ["user", name]


def test_a_version_changes_with_the_content_and_only_with_it() -> None:
    def version(port: int) -> str:
        return resource("user/ada", (Route("/user/ada/", Address("127.0.0.1", port)),), "/").version

    assert version(1) == version(1)
    assert version(1) != version(2)


ORIGIN = "https://lab-ada-7.apps.example.org:8443"
ALONE = Route("/user/ada/lab/", LAB, GUARD, strip=True, stream_life=60, origin=ORIGIN)


def test_an_own_host_is_the_apps_but_for_the_way_in() -> None:
    host = ORIGIN.removeprefix("https://")
    enter = route.Route(
        match=route.RouteMatch(path="/.apphub/enter"),
        route=_to_hub(
            "connect-failure,refused-stream,reset-before-request,retriable-headers",
            [],
            prefix_rewrite="/base/hub/edge/enter",
        ),
        typed_per_filter_config=_UNGUARDED,
    )
    nothing = [
        route.Route(
            match=match,
            direct_response=route.DirectResponseAction(status=404),
            typed_per_filter_config=_UNGUARDED,
        )
        for match in (route.RouteMatch(prefix="/.apphub/"), route.RouteMatch(path="/.apphub"))
    ]
    app = _generic_route("/", "127.0.0.1:20001", guard=TOLD, max_stream_duration=_life(60))
    *streams, plain = _with_streams(app, "own-streams")
    plain = dataclasses.replace(plain, typed_per_filter_config={"edge": _script("own")})
    made = resource(f"at/{host}", (ALONE,), "/base/")
    wanted = _generic(f"at/{host}", [".", host], [enter, *nothing, *streams, plain])
    assert route.ScopedRouteConfiguration.parse(made.content) == wanted


def test_the_path_of_an_app_on_an_own_host_leads_there() -> None:
    leads = route.Route(
        match=route.RouteMatch(prefix="/base/user/ada/lab/"),
        redirect=route.RedirectAction(
            host_redirect="lab-ada-7.apps.example.org:8443",
            scheme_redirect="https",
            prefix_rewrite="/",
            response_code=route.RedirectActionRedirectResponseCode.TEMPORARY_REDIRECT,
        ),
        typed_per_filter_config=_UNGUARDED,
    )
    made = resource("user/ada", (ALONE,), "/base/")
    assert route.ScopedRouteConfiguration.parse(made.content) == _generic(
        "user/ada", ["user", "ada"], [leads]
    )


def test_a_route_to_an_own_host_is_in_two_scopes() -> None:
    other = Route("/user/ada/", OWN)
    assert by_scope([other, ALONE]) == {
        "user/ada": (ALONE, other),
        "at/lab-ada-7.apps.example.org:8443": (ALONE,),
    }


def test_where_cookies_of_the_hub_come_along_they_are_kept_from_apps_that_ask_by_themselves() -> None:
    wanted = _generic_route("/user/ada/", "[::1]:20002")
    wanted.typed_per_filter_config = {"edge": _script("hide")}
    made = resource("user/ada", (Route("/user/ada/", OWN),), "/", hides=True)
    assert route.ScopedRouteConfiguration.parse(made.content) == _generic(
        "user/ada", ["user", "ada"], _with_sockets(wanted)
    )
    guarded = Route("/user/ada/", OWN, GUARD)
    assert resource("user/ada", (guarded,), "/", hides=True) == resource("user/ada", (guarded,), "/")


@pytest.mark.parametrize(("place", "cluster"), [("hub-1", "doors"), ("*", "hub")])
def test_a_route_to_another_machine_names_it_and_never_its_address(place: str, cluster: str) -> None:
    content = resource("user/ada", (Route("/user/ada/", LAB, place=place),), "/").content
    configuration = route.ScopedRouteConfiguration.parse(content).route_configuration
    assert configuration is not None
    [made] = configuration.virtual_hosts[0].routes
    assert made.route is not None
    assert made.route.cluster == cluster
    told = [
        (one.header.key, one.header.value) for one in made.request_headers_to_add if one.header is not None
    ]
    if place == "*":
        assert told == [("x-hub-dst", "127.0.0.1:20001")]
        return
    assert told == [("x-hub-place", "hub-1"), ("x-hub-port", "20001")]
    wanted = core.Metadata(filter_metadata={"envoy.lb": Struct.from_dict({"place": "hub-1"})})
    assert made.route.metadata_match == wanted
