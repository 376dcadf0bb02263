"""deploy/: the compose file, the settings and the image say the same. What they do: `journeys/test_machines.py`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from apphub.settings import Settings, read

TOP = Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OURS = {name: one for name, one in COMPOSE["services"].items() if one["image"] == "apphub"}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """What is mounted, by where."""
    return {target: source for source, target, *_ in (one.split(":") for one in service["volumes"])}


def settings_of(service: dict[str, Any]) -> Settings:
    return read(DEPLOY / "apphub.yaml", service.get("environment", {}), {}).settings


def test_volumes_networks_and_services_that_are_named_are_there() -> None:
    for service in COMPOSE["services"].values():
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
        for source in mounts(service).values():
            assert source in COMPOSE["volumes"] or (DEPLOY / source).is_file(), source
        for needed in service.get("depends_on", {}):
            assert "healthcheck" in COMPOSE["services"][needed]


def test_every_volume_is_mounted_where_the_image_has_a_folder_of_its_account() -> None:
    made = re.findall(r"/srv/apphub\S*", DOCKERFILE[: DOCKERFILE.index("WORKDIR")])
    for service in OURS.values():
        for target, source in mounts(service).items():
            assert source == "./apphub.yaml" or target in made, target


def test_what_is_kept_is_kept_in_volumes_and_only_hubs_have_the_secret_key() -> None:
    for name, service in OURS.items():
        settings, mounted = settings_of(service), mounts(service)
        is_hub = service["command"][0] == "hub"
        assert settings.cluster.edge_key is not None
        assert settings.cluster.secret_key is not None
        assert mounted[str(settings.cluster.edge_key.parent)] == "edge-key"
        assert mounted.get(str(settings.cluster.secret_key.parent)) == ("secret-key" if is_hub else None)
        assert mounted.get(str(settings.data_dir)) == (name if is_hub else None)
        # Edges face the public: they have no way to the database.
        assert ("data" in service["networks"]) == is_hub == (settings.database is not None)
        assert bool(service.get("ports")) != is_hub
        assert service["hostname"] == name


def test_hubs_are_told_by_the_names_and_ports_that_they_have() -> None:
    hubs = {name: settings_of(one) for name, one in OURS.items() if one["command"][0] == "hub"}
    [seeds] = {settings.cluster.hubs for settings in hubs.values()}
    assert {settings.cluster.address for settings in hubs.values()} == set(seeds)
    for name, settings in hubs.items():
        assert settings.cluster.bind is not None
        assert settings.cluster.address == f"{name}:{settings.cluster.bind.port}"
        assert str(settings.hub_bind) in " ".join(OURS[name]["healthcheck"]["test"])


def test_the_image_is_made_of_files_that_are_there() -> None:
    let_in = {line[1:] for line in (TOP / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        name
        for line in re.findall(r"(?m)^COPY (.*)$", DOCKERFILE)
        for name in line.split()[:-1]
        if name != "./src"
    }
    assert copied == let_in
    assert all((TOP / name).exists() for name in copied)
    readers = re.findall(
        r'(?m)^(?:readme = "|license-files = \[")([^"]+)', (TOP / "pyproject.toml").read_text()
    )
    assert set(readers) <= copied
