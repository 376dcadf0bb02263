"""The hand-written messages, held against the generic protobuf classes."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.service.discovery import v3 as discovery
from envoy_data_plane.google.rpc import Status
from hypothesis import given, settings
from hypothesis import strategies as st

from apphub.kit.addresses import Address
from apphub.proxy.base import Route
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


def _generic_route(prefix: str, target: str) -> route.Route:
    return route.Route(
        match=route.RouteMatch(prefix=prefix),
        route=route.RouteAction(cluster="apps", timeout=timedelta(0)),
        request_headers_to_add=[
            core.HeaderValueOption(
                header=core.HeaderValue(key="x-hub-dst", value=target),
                append_action=core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
            )
        ],
    )


def test_a_scope_is_the_message_the_generic_classes_would_write() -> None:
    scope = (
        Route("/user/ada/lab/", Address("127.0.0.1", 20001)),
        Route("/user/ada/", Address("::1", 20002)),
    )
    made = resource("user/ada", scope, "/apps/")
    wanted = _generic(
        "user/ada",
        ["user", "ada"],
        [
            _generic_route("/apps/user/ada/lab/", "127.0.0.1:20001"),
            _generic_route("/apps/user/ada/", "[::1]:20002"),
        ],
    )
    assert route.ScopedRouteConfiguration.parse(made.content) == wanted


def test_the_hub_scope_is_the_message_the_generic_classes_would_write() -> None:
    retries = route.RetryPolicy(
        retry_on="connect-failure,refused-stream,reset-before-request",
        num_retries=8,
        retry_back_off=route.RetryPolicyRetryBackOff(
            base_interval=timedelta(milliseconds=100), max_interval=timedelta(seconds=1)
        ),
    )
    action = route.RouteAction(cluster="hub", timeout=timedelta(0), retry_policy=retries)
    wanted = _generic("hub", [".", "-"], [route.Route(match=route.RouteMatch(prefix="/"), route=action)])
    assert route.ScopedRouteConfiguration.parse(hub_resource().content) == wanted


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
