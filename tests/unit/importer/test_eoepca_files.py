"""Files of EOEPCA's Application Hub are read as they are, and nothing of them is lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from apphub.importer import Offered, collect
from apphub.settings import Settings, SettingsError
from apphub.settings.definition import definition_of, profile_of

FILE = Path(__file__).parents[2] / "samples" / "eoepca" / "config.yml"
SETTINGS: dict[str, Any] = {
    "images": {
        "jupyter/scipy-notebook": {"kind": "jupyterhub-singleuser"},
        "eoepca/pde-code-server": {"command": ["server", "{port}"]},
    },
    "config_maps": {"gitlabenv": {"GITLAB_TOKEN": "told"}, "shared-settings": {"REGION": "north"}},
}


def offered(*files: Path, **more: Any) -> Offered:
    return collect(Settings.model_validate({"profile_files": list(files), **SETTINGS, **more}))


def written(folder: Path, text: str) -> Path:
    file = folder / "config.yml"
    file.write_text(text)
    return file


def test_profiles_come_with_their_groups_limits_and_first_page() -> None:
    lab, coder, desktop = offered(FILE).profiles
    assert (lab.slug, lab.groups, lab.kind) == ("eoepca_jupyter_lab", ("group-c",), "jupyterhub-singleuser")
    assert (lab.memory_limit, lab.memory_guarantee) == (6 * 2**30, 256 * 2**20)
    assert (lab.cpu_limit, lab.default_url) == (2, "/lab")
    assert (coder.groups, coder.command) == (("group-a", "group-b"), ("server", "{port}"))
    assert (desktop.kind, desktop.groups) == ("image", ("group-b",))


def leaves(value: Any) -> list[Any]:
    """Every plain value in it that is not empty."""
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in leaves(item)]
    if isinstance(value, list | tuple):
        return [leaf for item in value for leaf in leaves(item)]
    return [] if value in (None, "") else [value]


def test_every_value_of_the_file_is_somewhere_in_the_profile() -> None:
    sizes = {
        "6G": 6 * 2**30,
        "4G": 4 * 2**30,
        "256M": 256 * 2**20,
        10: "10",
        "lab": "/lab",
        "desktop": "/desktop",
    }
    for given, profile in zip(
        yaml.safe_load(FILE.read_text())["profiles"], offered(FILE).profiles, strict=True
    ):
        kept = [*leaves(profile.model_dump()), profile.slug, *profile.groups]
        assert [leaf for leaf in leaves(given) if sizes.get(leaf, leaf) not in kept] == []


def test_a_key_that_means_nothing_is_kept_and_told_with_its_line() -> None:
    found = offered(FILE)
    assert found.profiles[1].container is not None
    assert found.profiles[1].container.extra == {"volumes.1.volume_mount.mount_propagation": "None"}
    line = FILE.read_text().splitlines().index("      mount_propagation: None") + 1
    told = [str(note) for note in found.notes if "mount_propagation" in str(note)]
    assert told == [
        f"{FILE}:{line}: profiles[1].volumes[1].volume_mount.mount_propagation: is unknown: kept, and without effect"
    ]


def test_what_a_process_is_not_given_is_told() -> None:
    notes = "\n".join(map(str, offered(FILE).notes))
    for what in ("node_selector", "role_bindings", "manifests", "env_from_secrets", "secret_mounts"):
        assert f"{what} (needs a cluster" in notes
    assert "image_pull_secrets (processes fetch no image)" in notes
    assert "how a process runs 'eoepca/iga-remote-desktop'" in notes


def test_texts_of_foreign_config_maps_are_laid_beside_the_profiles_own() -> None:
    container = offered(FILE).profiles[1].container
    assert container is not None
    assert container.text_of("gitlabenv", "GITLAB_TOKEN") == "told"
    assert container.text_of("shared-settings", "REGION") == "north"
    notes = "\n".join(map(str, offered(FILE, config_maps={}).notes))
    assert "GITLAB_TOKEN is GITLAB_TOKEN of the config map gitlabenv: no file holds it" in notes
    assert "the variables of the config map shared-settings" in notes


def test_a_profile_survives_being_kept_as_json() -> None:
    for profile in offered(FILE).profiles:
        assert profile_of(profile.slug, definition_of(profile), profile.groups) == profile


def test_everything_wrong_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "profiles:\n- id: One Two\n  groups: [a]\n  node_selector: {}\n  definition:\n"
        "    display_name: x\n    kubespawner_override: {cpu_limit: many, mem_limit: 8G, image: i}\n"
        "  volumes: [{name: v}]\n- 7\n",
    )
    with pytest.raises(SettingsError) as caught:
        offered(file)
    told = str(caught.value)
    assert f"{file}:5: profiles[0].definition.slug: must be lower-case letters" in told
    assert f"{file}:7: profiles[0].definition.kubespawner_override.cpu_limit: must be a number" in told
    assert f"{file}:8: profiles[0].volumes[0].claim_name: is missing" in told
    assert f"{file}:9: profiles[1]: must be a group of keys" in told


def test_what_hands_and_older_programs_write_is_understood(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "profiles:\n- id: hand\n  groups: [a]\n  definition:\n    display_name: Hand\n"
        "    default: yes\n    kubespawner_override: {cpu_limit: 500m, mem_limit: 8Gi, image: i}\n"
        "  volumes:\n  - {name: v, claimName: c, persist: no, volumeMount: {name: v, mountPath: /v}}\n",
    )
    hand = offered(file).profiles[0]
    assert (hand.slug, hand.default, hand.cpu_limit, hand.memory_limit) == ("hand", True, 0.5, 8 * 2**30)
    assert hand.container is not None
    volume = hand.container.volumes[0]
    assert (volume.claim_name, volume.persist, volume.volume_mount.mount_path) == ("c", False, "/v")


def test_two_files_cannot_offer_the_same_profile() -> None:
    with pytest.raises(SettingsError, match=f"eoepca_jupyter_lab is in {FILE} already"):
        offered(FILE, FILE)


def test_profiles_of_the_settings_stand_before_those_of_files() -> None:
    found = offered(FILE, profiles=[{"slug": "own", "kind": "hello"}])
    assert [profile.slug for profile in found.profiles][:2] == ["own", "eoepca_jupyter_lab"]
