"""The hand-written messages, held against the generic protobuf classes."""

from __future__ import annotations

import contextlib

import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.service.discovery import v3 as discovery
from envoy_data_plane.google.rpc import Status
from hypothesis import given
from hypothesis import strategies as st

from apphub.proxy.envoy.wire import TYPE_URL, Malformed, Request, Resource, fields, response, varint


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
