"""The domain of apps: what it can be, and what deserves a second look."""

from __future__ import annotations

from pathlib import Path

import pytest

from apphub.settings import Profile, SettingsError, load, read, warnings
from apphub.settings.model import Settings


def settings_of(tmp_path: Path, domain: str, public: str = "https://hub.example", more: str = "") -> Settings:
    file = tmp_path / "a.yaml"
    file.write_text(f"apps_domain: {domain!r}\n" + (f"public_url: {public}\n" if public else "") + more)
    return load(file, {})


def refused(tmp_path: Path, domain: str, public: str = "https://hub.example", more: str = "") -> str:
    with pytest.raises(SettingsError) as caught:
        settings_of(tmp_path, domain, public, more)
    (problem,) = caught.value.problems
    assert "apps_domain" in str(problem)
    return str(problem)


@pytest.mark.parametrize("domain", ["apps.example.org", "Apps.Example.ORG.", "apps.localhost", "localhost"])
def test_a_domain_is_kept_in_lower_case(tmp_path: Path, domain: str) -> None:
    settings = settings_of(tmp_path, domain)
    assert settings.apps_domain == domain.lower().rstrip(".")
    assert settings.apps is not None


@pytest.mark.parametrize(
    "domain",
    ["https://apps.example.org", "apps.example.org:8000", "*.apps.example.org", ".apps", "a b", "10.0.0.1", "::1",
     "apps..org", "-x.org", "x_y.org", "é.org", "a" * 64 + ".org", "a." * 100 + "org", "/"],
)  # fmt: skip
def test_what_is_no_domain_is_refused(tmp_path: Path, domain: str) -> None:
    assert "must be a domain such as apps.example.org" in refused(tmp_path, domain)


def test_it_needs_the_address_that_people_use(tmp_path: Path) -> None:
    assert "needs `public_url`" in refused(tmp_path, "apps.example.org", "")


def test_the_hubs_own_host_is_neither_it_nor_below_it(tmp_path: Path) -> None:
    assert "is the hub's own host" in refused(tmp_path, "hub.example", "https://HUB.example:8000")
    assert "has the hub's own host hub.apps.example below it" in refused(
        tmp_path, "apps.example", "https://hub.apps.example"
    )


def test_a_neighbour_needs_the_whole_host_of_the_hub(tmp_path: Path) -> None:
    below = "base_url: /base/\n"
    assert "is a neighbour" in refused(tmp_path, "apps.example.org", "https://hub.example.org", below)
    assert settings_of(tmp_path, "apps.elsewhere.org", "https://hub.example.org", below).apps is not None


@pytest.mark.parametrize(
    ("domain", "public", "words"),
    [
        ("apps.elsewhere.org", "https://hub.example.org", None),
        ("apps.localhost", "http://localhost:8000", None),
        ("apps.localhost", "http://127.0.0.1:8000", None),
        ("apps.example.org", "https://hub.example.org", "is a neighbour of the hub's host hub.example.org"),
        ("apps.hub.example.org", "https://hub.example.org", "is a neighbour of the hub's host"),
        ("apps.elsewhere.org", "http://hub.example.org", "is served without https"),
    ],
)
def test_what_protects_less_is_warned_of(tmp_path: Path, domain: str, public: str, words: str | None) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(f"apps_domain: {domain}\npublic_url: {public}\n")
    found = [str(one) for one in warnings(read(file, {}), {"PATH": "/bin"}) if "apps_domain" in str(one)]
    assert [words in one for one in found] == [True] if words else found == []


def test_a_profile_may_stay_below_the_hubs_path() -> None:
    assert Profile.model_validate({"slug": "a", "command": ["x"]}).own_domain
    assert not Profile.model_validate({"slug": "a", "command": ["x"], "own_domain": False}).own_domain
