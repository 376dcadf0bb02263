"""From a profile's container to what is set up for one server: pure."""

from __future__ import annotations

from apphub.errors import Invalid
from apphub.runtimes.setup import File, First, Folder, Mount, Setup
from apphub.servers.model import ServerKey
from apphub.settings.container import ConfigMap, Container, FromConfigMap
from apphub.settings.templates import TemplateProblem, filled_in, values_for

#: Files and variables of one server together, in characters.
LARGEST = 2_000_000


class CannotSetUp(Invalid):
    """What the profile's container asks for cannot be made for this server."""


def namespace_of(user: str) -> str:
    """What `{{ namespace }}` is: the namespace that EOEPCA's Application Hub gives each user."""
    return f"jupyter-{user}"


def setup_of(container: Container, key: ServerKey) -> Setup:
    """Everything filled in. Raises `CannotSetUp` in words."""
    values = values_for(key.user, key.name, namespace_of(key.user))

    def fill(text: str, what: str) -> str:
        try:
            return filled_in(text, values)
        except TemplateProblem as error:
            raise CannotSetUp(f"{what} {error}.") from None

    texts = {
        (one.name, one.key): fill(one.content, f"The config map {one.name} ({one.key})")
        for one in container.config_maps
        if one.content is not None
    }
    setup = Setup(
        environment=_environment(container, texts)
        | {
            name: fill(value, f"The variable {name}")
            for name, value in container.environment.items()
            if isinstance(value, str)
        },
        folders=tuple(
            Folder(
                name=one.volume_mount.name,
                claim=fill(one.claim_name, f"The volume {one.name}"),
                path=one.volume_mount.mount_path,
                persist=one.persist,
            )
            for one in container.volumes
        ),
        files=tuple(_file(one, texts) for one in container.config_maps),
        first=tuple(
            First(
                name=one.name,
                command=tuple(fill(word, f"The init command {one.name}") for word in one.command),
                mounts=tuple(Mount(m.name, m.mount_path, m.sub_path) for m in one.volume_mounts),
            )
            for one in container.init_containers
        ),
    )
    if sum(map(len, texts.values())) + sum(map(len, setup.environment.values())) > LARGEST:
        raise CannotSetUp(f"The config maps of the profile hold more than {LARGEST} characters.")
    return setup


def _file(one: ConfigMap, texts: dict[tuple[str, str], str]) -> File:
    content = texts.get((one.name, one.key))
    if content is None:
        raise CannotSetUp(
            f"The config map {one.name} ({one.key}) has no content.", "An administrator can add it."
        )
    mode = int(one.default_mode, 8) if one.default_mode else 0o644
    # As in a container, root's group and others do not count: the file is its user's.
    mode = (mode & 0o700) | 0o400
    return File(one.name, one.key, one.mount_path, mode & ~0o200 if one.readonly else mode, content)


def _environment(container: Container, texts: dict[tuple[str, str], str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for wanted in container.env_from_config_maps:
        found |= {key: text for (name, key), text in texts.items() if name == wanted}
    for name, value in container.environment.items():
        if isinstance(value, FromConfigMap):
            key = value.from_config_map
            if (key.name, key.key) not in texts:
                raise CannotSetUp(
                    f"The variable {name} is {key.key} of the config map {key.name}, which nobody has written.",
                    "An administrator can add it under `config_maps` of the settings.",
                )
            found[name] = texts[key.name, key.key]
    return found
