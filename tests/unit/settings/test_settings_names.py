"""Names that settings use for each other, and what a profile knows about itself."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from apphub.access.roles import BUILT_IN
from apphub.settings import Option, Profile, Settings, SettingsError, effective_profiles, load
from apphub.settings.references import BUILT_IN_ROLES


def told(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "a.yaml"
    file.write_text(textwrap.dedent(text))
    with pytest.raises(SettingsError) as caught:
        load(file, {})
    return [str(problem).removeprefix(f"{file}:") for problem in caught.value.problems]


def test_the_built_in_roles_are_those_of_access() -> None:
    assert set(BUILT_IN_ROLES) == set(BUILT_IN)


def test_names_used_twice_are_told_where_they_are_used_again(tmp_path: Path) -> None:
    assert told(
        tmp_path,
        """\
        profiles:
          - {slug: one, kind: hello, default: true}
          - {slug: one, kind: hello, default: true}
        services:
          - {name: svc, api_token: 0123456789abcdef}
          - {name: svc, api_token: 0123456789abcdef}
        roles:
          - {name: reader, scopes: []}
          - {name: reader, scopes: []}
        """,
    ) == [
        "3: profiles[1].default: an earlier profile is the default already; only one may be",
        "3: profiles[1].slug: 'one' is used by an earlier one; choose another name",
        "6: services[1].api_token: is the token of an earlier service; make a new one",
        "6: services[1].name: 'svc' is used by an earlier one; choose another name",
        "9: roles[1].name: 'reader' is used by an earlier one; choose another name",
    ]


def test_roles_name_services_that_exist_and_say_what_they_give(tmp_path: Path) -> None:
    assert told(
        tmp_path,
        """\
        services: [{name: svc}]
        roles:
          - {name: reader, services: [svx]}
          - {name: admin, scopes: [self]}
          - {name: user, users: [ada]}
        """,
    ) == [
        "3: roles[0].scopes: is missing: only built-in roles have scopes of their own",
        "3: roles[0].services[0]: 'svx' is no service; known: svc; did you mean 'svc'?",
        "4: roles[1].scopes: must be left out: the role `admin` always may do everything",
    ]


def test_profiles_may_name_groups_that_come_by_the_api(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("profiles: [{slug: x, kind: hello, groups: [later]}]")
    assert load(tmp_path / "a.yaml", {}).profiles is not None


def test_placeholders_that_nothing_fills_in_are_told(tmp_path: Path) -> None:
    lines = told(
        tmp_path,
        """\
        profiles:
          - slug: x
            command: [run, "--port={prot}", "{{ok}}{port}", "{option:size}{option:nope}", "{"]
            environment: {A: "{user}{who}"}
            default_url: "{basis}"
            options: {size: {}}
        """,
    )
    assert [line.split(";")[0] for line in lines] == [
        "3: profiles[0].command[1]: has the unknown placeholder {prot}",
        "3: profiles[0].command[3]: names the option 'nope', which is not declared in `options` (there: size)",
        "3: profiles[0].command[4]: has a brace that belongs to no placeholder",
        "4: profiles[0].environment.A: has the unknown placeholder {who}",
        "5: profiles[0].default_url: has the unknown placeholder {basis}",
    ]


def test_undeclared_options_may_be_named_where_they_are_allowed() -> None:
    profile = Profile(slug="x", command=("run", "{option:any}"), extra_options="allow")
    assert profile.command == ("run", "{option:any}")


def test_a_profile_has_a_command_or_a_kind_that_brings_one(tmp_path: Path) -> None:
    assert told(tmp_path, "profiles: [{slug: a}, {slug: b, kind: hello, command: [x]}]") == [
        "1: profiles[0].command: is missing: a profile of kind `command` needs one",
        "1: profiles[1].command: must be left out: a profile of kind `hello` brings its own",
    ]


def test_guarantees_stay_below_limits(tmp_path: Path) -> None:
    text = "profiles: [{slug: a, kind: hello, memory_limit: 1M, memory_guarantee: 2M, cpu_limit: 1, cpu_guarantee: 2}]"
    assert told(tmp_path, text) == [
        "1: profiles[0].cpu_guarantee: must not be more than `cpu_limit`",
        "1: profiles[0].memory_guarantee: must not be more than `memory_limit`",
    ]


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("{type: integer, default: x}", "default: must be a whole number"),
        ("{type: integer, default: true}", "default: must be a whole number"),
        ("{type: integer, default: 9, maximum: 8}", "default: must be 8 or less"),
        ("{type: number, default: 0.5, minimum: 1}", "default: must be 1 or more"),
        ("{type: boolean, default: 1}", "default: must be true or false"),
        ("{default: 3.11}", "default: must be a text; put it in quotes"),
        ("{default: [a]}", "default: must be a text, a number, true or false"),
        ("{default: c, choices: [a, b]}", "default: must be one of the choices: a, b"),
        ("{default: abc, max_length: 2}", "default: must have at most 2 characters"),
        ("{default: abc, pattern: 'a+'}", "default: must match the pattern a+"),
        ("{choices: [a, 1]}", "choices[1]: must be a text; put it in quotes"),
        ("{choices: []}", "choices: must have at least 1 item"),
        ("{choices: [true]}", "choices[0]: must be a text or a number"),
        ("{type: boolean, choices: [1]}", "choices: are not for true or false"),
        ("{type: integer, minimum: 3, maximum: 2}", "maximum: must not be less than `minimum`"),
        ("{minimum: 3}", "minimum: is only for numbers, and the option is a text"),
        ("{type: integer, pattern: a}", "pattern: is only for text, and the option is a whole number"),
        ("{pattern: '('}", "pattern: is not a regular expression: missing ), unterminated subpattern"),
    ],
)
def test_an_option_fits_itself(tmp_path: Path, option: str, words: str) -> None:
    lines = told(tmp_path, f"profiles: [{{slug: a, kind: hello, options: {{o: {option}}}}}]")
    assert lines[0].startswith(f"1: profiles[0].options.o.{words}")


def test_an_option_cannot_take_the_name_that_selects_the_profile(tmp_path: Path) -> None:
    lines = told(tmp_path, "profiles: [{slug: a, kind: hello, options: {profile: {}}}]")
    assert lines == ["1: profiles[0].options.profile: is taken: it is the key that selects the profile"]


def test_an_option_says_why_a_value_does_not_fit() -> None:
    option = Option(type="integer", minimum=1, maximum=4, default=2)
    assert [option.misfit(value) for value in (1, 4)] == [None, None]
    assert option.misfit(5) == "must be 4 or less"
    assert option.misfit("5") == "must be a whole number"


def test_settings_made_in_code_are_checked_the_same() -> None:
    with pytest.raises(ValueError, match="used by an earlier one"):
        Settings(profiles=(Profile(slug="a", kind="hello"), Profile(slug="a", kind="hello")))


def test_without_profiles_there_is_the_sample() -> None:
    (sample,) = effective_profiles(Settings())
    assert (sample.slug, sample.kind, sample.groups, sample.default) == (
        "profile_1_slug",
        "hello",
        "everyone",
        True,
    )
    assert sample.extra_options == "refuse"
    assert effective_profiles(Settings(profiles=())) == ()


def test_a_service_that_speaks_tls_is_refused_with_what_to_do(tmp_path: Path) -> None:
    text = "services: [{name: a, url: 'https://127.0.0.1:9000'}, {name: b, url: 'ftp://x'}]"
    first, second = told(tmp_path, text)
    assert first.startswith("1: services[0].url: must begin with http://: the edge speaks plain HTTP")
    assert "oauth_redirect_uri" in first
    assert second == "1: services[1].url: must be an address such as http://127.0.0.1:9000"
