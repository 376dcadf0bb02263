"""Texts that a profile takes from config maps of others, laid beside its own.

In a cluster a config map made for one profile is there for the next, and some are made by
hand. Here a profile holds all that its start takes, so that it means the same for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from apphub.settings import Profile
from apphub.settings.container import ConfigMap, Container, FromConfigMap
from apphub.settings.templates import TemplateProblem, filled_in, values_for


class Known(Struct, frozen=True):
    """Texts by config map and key."""

    texts: Mapping[str, Mapping[str, str]]

    @classmethod
    def of(cls, given: Mapping[str, Mapping[str, str]], profiles: Iterable[Profile]) -> Known:
        """Those of the settings, and before them those that profiles bring."""
        texts = {name: dict(keys) for name, keys in given.items()}
        for profile in profiles:
            for one in profile.container.config_maps if profile.container is not None else ():
                if one.content is not None:
                    texts.setdefault(one.name, {}).setdefault(one.key, one.content)
        return cls(texts)

    def find(self, name: str, key: str) -> str | None:
        """The text, if there is one."""
        return self.texts.get(name, {}).get(key)


def completed(profile: Profile, known: Known) -> tuple[Profile, list[str]]:
    """The profile with all the texts it takes, and in words what is still missing."""
    container = profile.container
    if container is None:
        return profile, []
    maps = [_with_content(one, known) for one in container.config_maps]
    own = {(one.name, one.key) for one in maps}
    for name, key in _taken(container, known):
        text = known.find(name, key)
        if text is not None and (name, key) not in own:
            own.add((name, key))
            maps.append(ConfigMap(name=name, key=key, content=text))
    container = container.model_copy(update={"config_maps": tuple(maps)})
    return profile.model_copy(update={"container": container}), list(_missing(container))


def _with_content(one: ConfigMap, known: Known) -> ConfigMap:
    text = known.find(one.name, one.key) if one.content is None else None
    return one if text is None else one.model_copy(update={"content": text})


def _taken(container: Container, known: Known) -> Iterator[tuple[str, str]]:
    for value in container.environment.values():
        if isinstance(value, FromConfigMap):
            yield value.from_config_map.name, value.from_config_map.key
    for name in container.env_from_config_maps:
        yield from ((name, key) for key in known.texts.get(name, {}))
    for init in container.init_containers:
        for mount in init.volume_mounts:
            if mount.sub_path is not None:
                yield mount.name, mount.sub_path


def _missing(container: Container) -> Iterator[str]:
    where = "no file holds it; write it under `config_maps` of the settings"
    for name, value in container.environment.items():
        if isinstance(value, FromConfigMap):
            key = value.from_config_map
            if container.text_of(key.name, key.key) is None:
                yield f"{name} is {key.key} of the config map {key.name}: {where}"
    for one in container.config_maps:
        if one.content is None:
            yield f"the config map {one.name} ({one.key}) has no content: {where}"
    for one_name in container.env_from_config_maps:
        if not any(one.name == one_name for one in container.config_maps):
            yield f"the variables of the config map {one_name}: {where}"
    sample = values_for("ada", "lab", "ns")
    for what, text in texts_of(container):
        try:
            filled_in(text, sample)
        except TemplateProblem as error:
            yield f"{what} {error}"


def texts_of(container: Container) -> Iterator[tuple[str, str]]:
    """Every text that is filled in for a start, with what it is."""
    for name, value in container.environment.items():
        if isinstance(value, str):
            yield f"the variable {name}", value
    for one in container.config_maps:
        if one.content is not None:
            yield f"the config map {one.name}", one.content
    for init in container.init_containers:
        yield from ((f"the init command {init.name}", word) for word in init.command)
    for volume in container.volumes:
        yield f"the volume {volume.name}", volume.claim_name
