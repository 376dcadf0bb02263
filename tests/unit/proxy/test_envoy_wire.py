"""The hand-written messages, held against the generic protobuf classes."""

from __future__ import annotations

import contextlib
import dataclasses
from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.service.discovery import v3 as discovery
from envoy_data_plane.google.protobuf import Any, Struct
from envoy_data_plane.google.rpc import Status
from hypothesis import given, settings
from hypothesis import strategies as st

from apphub.kit.addresses import Address
from apphub.proxy.base import Guard, Route
from apphub.proxy.envoy.resources import hub_resource, resource
from apphub.proxy.envoy.wire import TYPE_URL, Malformed, Request, Resource, fields, response, varint


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
_UNGUARDED = dict.fromkeys(("pass", "edge", "ask"), _OFF)


def _generic_route(
    prefix: str, target: str, *, guard: dict[str, str] | None = None, **action: object
) -> route.Route:
    made = route.Route(
        name="route",
        match=route.RouteMatch(prefix=prefix),
        route=route.RouteAction(cluster="apps", timeout=timedelta(0), **action),
        request_headers_to_add=[
            core.HeaderValueOption(
                header=core.HeaderValue(key="x-hub-dst", value=target),
                append_action=core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
            )
        ],
    )
    if guard is None:
        made.typed_per_filter_config = _UNGUARDED
    else:
        made.metadata = core.Metadata(filter_metadata={"edge": Struct.from_dict(guard)})
    return made


def _life(seconds: int) -> route.RouteActionMaxStreamDuration:
    return route.RouteActionMaxStreamDuration(max_stream_duration=timedelta(seconds=seconds))


LAB = Address("127.0.0.1", 20001)
OWN = Address("::1", 20002)
GUARD = Guard("server-7", epoch=3, denied=("one", "two"), user_header="x-user", groups_header="x-groups")
TOLD = {"id": "server-7", "epoch": "3", "denied": ",one,two,", "user": "x-user", "groups": "x-groups"}
UNTOLD = {"id": "server-8", "epoch": "0", "denied": ",,", "user": "", "groups": ""}


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
    assert route.ScopedRouteConfiguration.parse(content) == _generic("user/ada", ["user", "ada"], [wanted])


def test_the_routes_of_a_scope_stand_in_the_order_given() -> None:
    made = resource("user/ada", (Route("/user/ada/lab/", LAB, GUARD), Route("/user/ada/", OWN)), "/")
    wanted = [
        _generic_route("/user/ada/lab/", "127.0.0.1:20001", guard=TOLD),
        _generic_route("/user/ada/", "[::1]:20002"),
    ]
    assert route.ScopedRouteConfiguration.parse(made.content) == _generic("user/ada", ["user", "ada"], wanted)


@pytest.mark.parametrize("change", [{"epoch": 4}, {"denied": ("one",)}, {"id": "server-9"}])
def test_whatever_a_guard_says_makes_another_version(change: dict[str, object]) -> None:
    def version(guard: Guard) -> str:
        return resource("user/ada", (Route("/user/ada/", LAB, guard),), "/").version

    assert version(GUARD) == version(dataclasses.replace(GUARD))
    assert version(GUARD) != version(dataclasses.replace(GUARD, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("base", ["", "/apps"])
def test_the_hub_scope_is_the_message_the_generic_classes_would_write(base: str) -> None:
    retries = route.RetryPolicy(
        retry_on="connect-failure,refused-stream,reset-before-request",
        num_retries=8,
        retry_back_off=route.RetryPolicyRetryBackOff(
            base_interval=timedelta(milliseconds=100), max_interval=timedelta(seconds=1)
        ),
    )
    action = route.RouteAction(cluster="hub", timeout=timedelta(0), retry_policy=retries)
    private = route.Route(
        name="route",
        match=route.RouteMatch(prefix=f"{base}/hub/edge/check"),
        direct_response=route.DirectResponseAction(status=404),
        typed_per_filter_config=_UNGUARDED,
    )
    to_hub = route.Route(
        name="route",
        match=route.RouteMatch(prefix="/"),
        route=action,
        typed_per_filter_config=_UNGUARDED,
    )
    wanted = _generic("hub", [".", "-"], [private, to_hub])
    assert route.ScopedRouteConfiguration.parse(hub_resource(f"{base}/").content) == wanted


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


def test_a_response_reads_as_the_generic_message() -> None:
    message = response("7", [("user/ada", Resource("v1", b"content"))], ["user/bob", "user/cyd"])
    read = discovery.DeltaDiscoveryResponse.parse(message)
    assert (read.type_url, read.nonce) == (TYPE_URL, "7")
    assert read.removed_resources == ["user/bob", "user/cyd"]
    (found,) = read.resources
    assert (found.name, found.version) == ("user/ada", "v1")
    assert found.resource is not None
    assert (found.resource.type_url, found.resource.value) == (TYPE_URL, b"content")


def test_a_hello_of_the_generic_message_is_read() -> None:
    versions = {f"user/u{i}": f"v{i}" for i in range(300)}
    message = discovery.DeltaDiscoveryRequest(
        node=core.Node(id="edge-1", cluster="edge"),
        type_url=TYPE_URL,
        resource_names_subscribe=["*"],
        initial_resource_versions=versions,
    )
    assert Request.parse(bytes(message)) == Request("edge-1", versions)


def test_a_refusal_of_the_generic_message_is_read() -> None:
    status = Status(code=13, message="no such thing")
    message = discovery.DeltaDiscoveryRequest(response_nonce="3", error_detail=status)
    assert Request.parse(bytes(message)) == Request(nonce="3", error="no such thing")


def test_a_refusal_without_words_is_still_a_refusal() -> None:
    message = discovery.DeltaDiscoveryRequest(response_nonce="3", error_detail=Status(code=13))
    assert Request.parse(bytes(message)).error == "no reason given"


@pytest.mark.parametrize("message", [b"\x0a\x05ab", b"\xff" * 12, b"\x0b", b"\x0a"])
def test_bytes_that_are_no_message_are_told_apart(message: bytes) -> None:
    with pytest.raises(Malformed):
        list(fields(message))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_called_malformed(message: bytes) -> None:
    with contextlib.suppress(Malformed):
        Request.parse(message)


def test_numbers_are_written_seven_bits_at_a_time() -> None:
    assert (varint(0), varint(127), varint(128), varint(300)) == (b"\0", b"\x7f", b"\x80\x01", b"\xac\x02")
