"""What a profile says of the container its app is made for; the words are Kubernetes'.

Neutral of the runtime: each runtime honours what has a meaning there and says what it cannot
(`beyond_processes` speaks for processes of a machine). Nothing is dropped: what no field
holds is kept in `extra` under its path. Texts may hold `{{ spawner.user.name }}` and
`{{ namespace }}` (see `templates`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from apphub.settings.values import Place, Properties, Section, Word


def _variable(name: str) -> str:
    if not name or "=" in name or "\0" in name:
        raise ValueError("cannot name an environment variable: not empty, and without `=`")
    return name


def _absolute(path: str) -> str:
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        raise ValueError("must be an absolute path without `..`")
    return path


Text = Annotated[str, Field(max_length=1_000_000)]
MountPath = Annotated[str, Field(max_length=1000), AfterValidator(_absolute)]


class ConfigMapKey(Section):
    """One text of a config map."""

    name: str = Field(description="The config map.")
    key: str = Field(description="Its key in there.")


class FromConfigMap(Section):
    """Where the value of a variable is kept, instead of the value."""

    from_config_map: ConfigMapKey = Field(description="The text that is the value.")


class ConfigMap(Section):
    """A named text, which may become a file."""

    name: str = Field(description="Its name.")
    key: str = Field(description="Name of the text in it.")
    mount_path: MountPath | None = Field(default=None, description="Where it is a file; none: it is not.")
    default_mode: Annotated[str, Field(pattern=r"^[0-7]{3,5}$")] | None = Field(
        default=None, description="Mode of the file, in octal: '0640'."
    )
    readonly: bool = Field(default=True, description="Whether the file cannot be written.")
    content: Text | None = Field(default=None, description="The text; none: it exists elsewhere.")
    persist: bool = Field(default=True, description="Whether it stays when the server ends.")


class VolumeMount(Section):
    """Where a volume or config map is seen."""

    name: str = Field(description="The volume, or the config map.")
    mount_path: MountPath = Field(description="The folder or file it is there.")
    sub_path: str | None = Field(default=None, max_length=1000, description="Only this part of it.")


class Volume(Section):
    """A folder that the app finds at a path of its own."""

    name: str = Field(description="Its name, as mounts use it.")
    claim_name: str = Field(description="Which folder of the user it is: the same name is the same folder.")
    size: str | None = Field(default=None, description="Space asked for.")
    storage_class: str | None = Field(default=None, description="Kind of storage asked for.")
    access_modes: tuple[str, ...] = Field(default=(), description="How it may be used.")
    volume_mount: VolumeMount = Field(description="Where it is seen.")
    persist: bool = Field(default=True, description="Whether what is in it stays when the server ends.")
    annotations: dict[str, str] = Field(default_factory=dict, description="Of its claim.")


class InitContainer(Section):
    """A command that is run before the program."""

    name: str = Field(description="Its name, for messages.")
    image: str = Field(default="", description="Image it is run in.")
    command: tuple[str, ...] = Field(min_length=1, description="Program and arguments.")
    volume_mounts: tuple[VolumeMount, ...] = Field(default=(), description="What it finds, and where.")


class Subject(Section):
    """Who is given a role in the cluster."""

    name: str = Field(description="Its name.")
    kind: str = Field(description="`ServiceAccount` or `User`.")


class ClusterRole(Section):
    """What may be done in the cluster."""

    name: str = Field(description="Its name.")
    resources: tuple[str, ...] = Field(default=(), description="Kinds of things.")
    verbs: tuple[str, ...] = Field(default=(), description="What may be done with them.")
    api_groups: tuple[str, ...] = Field(default=("",), description="Where the kinds belong.")


class RoleBinding(Section):
    """A role in the cluster and who is given it."""

    name: str = Field(description="Its name.")
    subjects: tuple[Subject, ...] = Field(default=(), description="Who is given it.")
    role: ClusterRole = Field(description="What may be done.")
    persist: bool = Field(default=True, description="Whether it stays when the server ends.")


class ImagePullSecret(Section):
    """What the image is fetched with."""

    name: str = Field(description="Its name.")
    persist: bool = Field(default=True, description="Whether it stays when the server ends.")
    data: str | None = Field(default=None, repr=False, description="The credentials; never shown again.")


class Manifest(Section):
    """Things to make in the cluster beside the server."""

    name: str = Field(description="Its name.")
    key: str = Field(description="Its key.")
    content: tuple[Properties, ...] = Field(default=(), repr=False, description="The things.")
    persist: bool = Field(default=True, description="Whether they stay when the server ends.")


class SecretMount(Section):
    """A secret of the cluster as files."""

    name: str = Field(description="The secret.")
    mount_path: MountPath = Field(description="Where it is seen.")
    sub_path: str | None = Field(default=None, description="Only this part of it.")


Environment = Annotated[
    dict[Annotated[str, AfterValidator(_variable)], Text | FromConfigMap],
    Word("map of names to text, or to `{from_config_map: {name, key}}`"),
]


class Container(Section):
    """The container an app is made for. Processes honour environment, config maps, volumes and init
    containers; the rest is kept for runtimes that run images.
    """

    image: str = Field(default="", max_length=500, description="The image.")
    id: str = Field(default="", description="What the profile is called in the file it is from.")
    environment: Environment = Field(default_factory=dict, description="Variables; they win over others.")
    config_maps: tuple[ConfigMap, ...] = Field(default=(), description="Texts that become files.")
    volumes: tuple[Volume, ...] = Field(default=(), description="Folders.")
    init_containers: tuple[InitContainer, ...] = Field(
        default=(), description="Commands run before the program; one that fails fails the start."
    )
    env_from_config_maps: tuple[str, ...] = Field(
        default=(), description="Config maps whose every key is a variable."
    )
    env_from_secrets: tuple[str, ...] = Field(default=(), description="Secrets whose keys are variables.")
    secret_mounts: tuple[SecretMount, ...] = Field(default=(), description="Secrets as files.")
    node_selector: Properties = Field(default_factory=dict, description="Nodes it may run on.")
    role_bindings: tuple[RoleBinding, ...] = Field(default=(), description="What it may do in the cluster.")
    image_pull_secrets: tuple[ImagePullSecret, ...] = Field(
        default=(), description="What the image is fetched with."
    )
    manifests: tuple[Manifest, ...] = Field(default=(), description="What else is made in the cluster.")
    extra_resource_limits: Properties = Field(default_factory=dict, description="Such as GPUs.")
    extra_resource_guarantees: Properties = Field(default_factory=dict, description="The same, kept.")
    extra: Properties = Field(
        default_factory=dict, description="What else stood there, by its path: kept, and without effect."
    )

    def beyond_processes(self) -> Iterator[tuple[Place, str]]:
        """What a process of the machine is not given: the place of each, and why, in words."""
        for key, words in _BEYOND.items():
            if getattr(self, key):
                yield (key,), words
        for position, volume in enumerate(self.volumes):
            if volume.size or volume.storage_class:
                yield ("volumes", position), f"the volume {volume.name} is a plain folder, without its size"
        if self.volumes or any(one.mount_path for one in self.config_maps):
            yield (
                ("volumes" if self.volumes else "config_maps",),
                "paths below mounts are replaced in commands, variables and config maps; a program that has "
                "them built in does not find them",
            )

    def text_of(self, name: str, key: str) -> str | None:
        """A text of one of its own config maps."""
        found = (one.content for one in self.config_maps if (one.name, one.key) == (name, key))
        return next((text for text in found if text is not None), None)


_CLUSTER = "needs a cluster; processes have none"
_BEYOND: dict[str, Any] = {
    "env_from_secrets": _CLUSTER,
    "secret_mounts": _CLUSTER,
    "node_selector": _CLUSTER,
    "role_bindings": _CLUSTER,
    "image_pull_secrets": "processes fetch no image",
    "manifests": _CLUSTER,
    "extra_resource_limits": "processes are limited in memory and processors only",
    "extra_resource_guarantees": "processes are guaranteed nothing",
}
