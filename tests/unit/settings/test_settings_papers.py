"""The sample, the schema and the reference keep up with the model."""

from __future__ import annotations

import json
import re
from pathlib import Path

from apphub.settings import Settings, load, read, require_usable
from apphub.settings.json_schema import schema
from apphub.settings.reference_page import reference
from apphub.settings.shapes import keys

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "apphub.yaml"


def test_the_sample_works_as_it_is() -> None:
    loaded = read(SAMPLE, {})
    require_usable(loaded)
    settings = loaded.settings
    assert settings.login.admins == ("admin",)
    assert settings.login.password.enabled
    assert settings.groups["analysts"].properties
    assert settings.profiles is not None
    assert [(p.slug, p.kind, p.groups, p.default) for p in settings.profiles] == [
        ("profile_1_slug", "hello", "everyone", True),
        ("jupyterlab", "jupyterhub-singleuser", ("analysts",), False),
    ]
    assert settings.profiles[1].environment_path == ROOT / "envs/jupyterlab"


def test_the_sample_works_with_everything_switched_on(tmp_path: Path) -> None:
    # `# word` is prose; `#word` and `#  word` are settings that are off.
    text = re.sub(r"(?m)^(\s*)#(?! \S)(.*)$", r"\1\2", SAMPLE.read_text())
    # The head explains itself with indented commands.
    body = (
        text[text.index("bind:") :]
        .replace("    python3 -m venv envs/jupyterlab", "")
        .replace("    envs/jupyterlab/bin/pip install jupyterhub jupyterlab", "")
    )
    file = tmp_path / "on.yaml"
    file.write_text(body)
    settings = load(file, {})
    assert settings.tls is not None
    assert settings.login.shared_password is not None
    assert [role.name for role in settings.roles] == ["reader"]


def test_the_sample_shows_every_key() -> None:
    text = SAMPLE.read_text()
    missing = [
        key.path
        for key in keys(Settings)
        if not re.search(rf"(?m)(^|[\s#{{-]){re.escape(key.path.rpartition('.')[2])}:", text)
    ]
    assert missing == []


def test_every_key_is_explained() -> None:
    assert [key.path for key in keys(Settings) if not key.description] == []


def test_the_reference_is_up_to_date() -> None:
    kept = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert kept == reference(), "run: apphub reference > docs/reference/settings.md"


def test_the_schema_says_how_values_are_written() -> None:
    made = schema()
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert json.loads(json.dumps(made)) == made
    assert made["properties"]["bind"]["default"] == ["127.0.0.1:8000"]
    assert made["$defs"]["Login"]["properties"]["session_life"]["default"] == "14d"
    assert made["$defs"]["Timeouts"]["properties"]["start"]["default"] == "2m"
    for section in [made, *made["$defs"].values()]:
        assert section["additionalProperties"] is False
        assert all("description" in key or "$ref" in key for key in section["properties"].values())
    password = made["$defs"]["SharedPasswordLogin"]["properties"]["password"]
    assert password["anyOf"] == [{"type": "string"}, {"$ref": "#/$defs/SecretFile"}]
