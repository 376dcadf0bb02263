"""Machines in the settings: what is refused, and what others are told as the address of a hub."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from apphub.cluster import announced, edge_key_file, is_far, read_edge_key
from apphub.errors import Invalid, Unavailable
from apphub.settings import Settings

POSTGRES = "postgresql://apphub@db/apphub"


def settings(**cluster: Any) -> Settings:
    return Settings.model_validate({"cluster": cluster, "database": POSTGRES})


@pytest.mark.parametrize(
    "cluster",
    [
        {"hubs": ["hub-1"]},
        {"hubs": ["hub-1:0"]},
        {"hubs": ["https://hub-1:8443"]},
        {"address": "hub 1:8443"},
        {"address": ":8443"},
        {"bind": "hub-1:8443"},
        {"name": "a/b"},
        {"name": ""},
        {"more": 1},
    ],
)
def test_what_makes_no_sense_is_refused(cluster: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**cluster)


def test_without_a_door_nothing_is_announced_and_edges_look_in_the_folder() -> None:
    assert announced(Settings()) == ""
    assert not is_far(Settings())
    assert is_far(settings(hubs=["hub-1:8443"]))


def test_what_is_announced_is_the_address_that_is_set_or_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    assert announced(settings(bind="10.0.0.5:8443")) == "10.0.0.5:8443"
    # A name stays one: other machines may know it by another address.
    assert announced(settings(bind="0.0.0.0:8443", address="hub-1:9443")) == "hub-1:9443"
    monkeypatch.setattr(socket, "gethostname", lambda: "localhost")
    with pytest.raises(Unavailable, match="this machine alone"):
        announced(settings(bind="0.0.0.0:8443"))
    monkeypatch.setattr(socket, "gethostname", lambda: "no-such-host.invalid")
    with pytest.raises(Unavailable, match=r"Set `cluster\.address`"):
        announced(settings(bind="0.0.0.0:8443"))


def test_a_door_needs_postgresql() -> None:
    alone = Settings.model_validate({"cluster": {"bind": "10.0.0.5:8443"}})
    with pytest.raises(Invalid, match="PostgreSQL"):
        announced(alone)


def test_an_edge_without_its_key_is_told_where_to_get_it(tmp_path: Path) -> None:
    asked = settings(hubs=["hub-1:8443"], edge_key=str(tmp_path / "edge.key"))
    assert edge_key_file(asked) == tmp_path / "edge.key"
    with pytest.raises(Invalid, match="Copy the file from a machine with hubs"):
        read_edge_key(asked)
    (tmp_path / "edge.key").write_text("something else")
    with pytest.raises(Invalid, match="is no edge key"):
        read_edge_key(asked)
