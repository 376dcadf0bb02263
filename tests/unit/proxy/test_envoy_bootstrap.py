"""The static configuration."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from apphub.kit.addresses import Address
from apphub.kit.apphosts import AppHosts
from apphub.kit.secrets import Keys
from apphub.passes.tokens import Signer
from apphub.proxy.envoy.bootstrap import Edge, bootstrap, fingerprint, rendered
from apphub.proxy.envoy.meeting import Meeting
from apphub.proxy.envoy.replies import OwnHosts
from apphub.proxy.envoy.resources import hub_path

RUN = Path("/run/apphub")
EDGE = Edge(
    run_dir=RUN,
    bind=(Address("127.0.0.1", 8000),),
    meeting=Meeting(RUN),
    keys=Signer(Keys(b"the key of a hub that tests have")).key_set_json(),
)

OWN = OwnHosts(AppHosts.beside("apps.example.org", "https://hub.example"), "https://hub.example/hub/")


def _sockets(*bind: str) -> list[dict[str, Any]]:
    edge = dataclasses.replace(EDGE, bind=tuple(map(Address.parse, bind)))
    listeners = bootstrap(edge)["static_resources"]["listeners"]
    assert not any(listener["enable_reuse_port"] for listener in listeners)
    return [listener["address"]["socket_address"] for listener in listeners]


def test_the_admin_interface_is_a_socket_for_the_owner_only() -> None:
    assert bootstrap(EDGE)["admin"] == {
        "address": {"pipe": {"path": "/run/apphub/admin.sock", "mode": 0o600}}
    }


def test_every_ipv6_address_takes_ipv4_as_well() -> None:
    assert _sockets("[::]:8000") == [{"address": "::", "port_value": 8000, "ipv4_compat": True}]


def test_every_ipv6_address_leaves_ipv4_to_a_listener_of_its_own() -> None:
    assert [s.get("ipv4_compat") for s in _sockets("0.0.0.0:8000", "[::]:8000", "[::1]:8001")] == [None] * 3


@pytest.mark.parametrize(
    ("base_url", "path"), [("/", "/./-"), ("/apps/", "/././-"), ("/a/b/c/", "/././././-")]
)
def test_the_hub_scope_lies_as_deep_as_an_apps(base_url: str, path: str) -> None:
    assert hub_path(base_url) == path
    depth = base_url.count("/") - 1
    assert path.split("/")[depth + 1 : depth + 3] == [".", "-"]


def test_the_same_edge_is_rendered_to_the_same_bytes_and_another_one_to_others() -> None:
    assert rendered(EDGE) == rendered(dataclasses.replace(EDGE))
    others = [
        dataclasses.replace(EDGE, base_url="/x/"),
        dataclasses.replace(EDGE, trusted_proxies=1),
        dataclasses.replace(EDGE, max_connections=9),
        dataclasses.replace(EDGE, own=OWN),
        dataclasses.replace(EDGE, keys=Signer(Keys(b"the key of another, as long as that")).key_set_json()),
    ]
    assert len({fingerprint(rendered(edge)) for edge in [EDGE, *others]}) == 6
    assert json.loads(rendered(EDGE)) == bootstrap(EDGE)


def test_a_relative_path_is_refused() -> None:
    with pytest.raises(ValueError, match="absolute"):
        dataclasses.replace(EDGE, run_dir=Path("run"))


def test_hosts_of_apps_cost_nothing_where_there_are_none() -> None:
    text = rendered(EDGE).decode()
    for part in ("apps.example", "endsWith", "own-streams", "local function elsewhere"):
        assert part not in text, part
    assert text.count("%CEL(") == 0
    assert rendered(dataclasses.replace(EDGE, own=OWN)).decode().count("%CEL(") == 2


@pytest.mark.parametrize(
    ("public", "name"), [("https://hub.example", "__Host-apphub-pass"), ("http://hub.example", "apphub-pass")]
)
def test_only_the_safest_name_of_a_pass_counts_at_an_own_host(public: str, name: str) -> None:
    own = OwnHosts(AppHosts.beside("apps.example.org", public), f"{public}/hub/")
    found = json.dumps(bootstrap(dataclasses.replace(EDGE, own=own)))
    scripts = json.loads(found)["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0][
        "typed_config"
    ]["http_filters"][0]["typed_config"]
    for script in ("own", "own-streams"):
        assert f'name == "{name}"' in scripts["source_codes"][script]["inline_string"]
    assert 'name == "apphub-pass"' in scripts["default_source_code"]["inline_string"]
