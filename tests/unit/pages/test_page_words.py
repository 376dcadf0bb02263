"""What the rest of the hub says in English, in the language of a visitor; reports; the look of a site."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from page_samples import SHELL

from apphub.access.scopes import SCOPES
from apphub.admission.model import HUB, NeverFits, Shortage, Spot
from apphub.audit.model import Entry
from apphub.pages import contexts
from apphub.pages.account import browser_words
from apphub.pages.render import Renderer, colours
from apphub.pages.report import REMOVED, cleaned
from apphub.pages.said import SENTENCES, say, scope_words
from apphub.pages.story import told, who
from apphub.profiles.model import BadOption, check_option
from apphub.reconcile.idle import words
from apphub.servers.model import REQUESTED, HubFull, Progress
from apphub.settings import Look, Option, Settings
from apphub.settings.look import GROUNDS, ON_ACCENT, contrast

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def refusal(value: object, **option: object) -> str:
    with pytest.raises(BadOption) as refused:
        check_option("size", Option.model_validate({"default": None, **option}), value)
    return str(refused.value)


SAID = [
    words(timedelta(hours=1)),
    words(timedelta(minutes=30)),
    words(timedelta(seconds=7)),
    HubFull(3).message,
    str(HubFull(3).advice),
    refusal(9, type="integer", maximum=8),
    refusal(0, type="integer", minimum=1),
    refusal("x", choices=["a"]),
    refusal("xx", max_length=1),
    refusal("x", pattern="[a]"),
    Spot(3, 20, str(Shortage(HUB, "group geo", "memory", 3 << 30, 4 << 30, 1 << 30))).words,
    Spot(1, None, str(Shortage(HUB, "the hub", "starts", 2, 2, 1))).words,
    Spot(1, None, str(Shortage(HUB, "user ada", "servers", 2, 2, 1))).words,
    Spot(2, None, str(Shortage(HUB, "profile lab", "cpu", 2000, 2500, 1000))).words,
    NeverFits(Shortage(HUB, "the hub", "memory", 0, 4 << 30, 64 << 30)).message,
    str(NeverFits(Shortage(HUB, "the hub", "memory", 0, 4 << 30, 64 << 30)).advice),
    "The program ended before it answered. It ended by itself with status 1.",
    "The program is gone. It was killed by SIGKILL: it used more memory than its limit.",
]


@pytest.mark.parametrize("text", SAID)
def test_what_the_hub_says_itself_is_said_in_italian(text: str) -> None:
    said = say("it", text)
    assert said != text
    english = {"the", "of", "it", "must", "or", "more", "without", "cannot", "than", "which", "this"}
    assert not english & set(said.lower().replace(":", " ").replace(".", " ").split()), said


def test_what_apps_write_stays_as_it_is() -> None:
    text = "The program is gone. Exit status 3.\nThe program is gone.\n%(x)s <b>"
    said = say("it", text)
    assert said.partition("\n")[2] == text.partition("\n")[2]
    assert "3" in said.partition("\n")[0]
    assert say("it", "Traceback: %(name)s %s") == "Traceback: %(name)s %s"
    assert say("en", text) == text


def test_no_text_makes_the_reader_of_sentences_slow() -> None:
    long = "The option " + "cannot be : it " * 70 + "."
    begun = datetime.now(UTC)
    say("it", long)
    assert datetime.now(UTC) - begun < timedelta(seconds=1)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_finds_itself(sentence: str) -> None:
    filled = sentence
    for name in ("misfit", "user", "app", "moment", "code"):
        filled = filled.replace(f"%({name})s", "must be 3 or less" if name == "misfit" else name)
    assert say("it", filled) != filled or sentence in ("server",)


@pytest.mark.parametrize("scope", [*SCOPES, "servers!user", "read:users!user=ada", "self", "inherit"])
def test_every_scope_is_explained_in_both_languages(scope: str) -> None:
    assert scope_words("en", scope).endswith(".")
    assert scope_words("it", scope) != scope_words("en", scope)


@pytest.mark.parametrize(
    "line",
    [
        "password=hunter2hunter2",
        'api_key: "abcdef123456"',
        "Authorization: Bearer abcdef.123456",
        "postgresql://me:s3cret@db/x",
        "JUPYTERHUB_API_TOKEN=abcdef123456",
        "the-known-one in the middle",
    ],
)
def test_a_report_holds_no_secret(line: str) -> None:
    text = cleaned(f"before\n{line}\nafter", ["the-known-one"])
    assert REMOVED in text
    for secret in ("hunter2", "abcdef", "s3cret", "the-known-one"):
        assert secret not in text
    assert text.startswith("before\n")
    assert text.endswith("\nafter")


def test_a_report_keeps_ordinary_lines() -> None:
    line = "Traceback: KeyError: 'x' at line 3, tokens are counted"
    assert cleaned(line) == line


@pytest.mark.parametrize(
    ("look", "words"),
    [
        ({"accent": "#ffee00"}, "contrast of only"),
        ({"accent_dark": "#222222"}, "take a lighter one"),
        ({"accent": "red"}, "must be a colour"),
        ({"logo": "logo.gif"}, "must be an .svg or .png file"),
        ({"name": ""}, "name"),
    ],
)
def test_a_look_that_nobody_can_read_is_refused(look: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Settings.model_validate({"pages": look})


def test_the_grounds_that_colours_are_held_against_are_those_of_the_style_sheet() -> None:
    base = (Path(contexts.__file__).parent / "static" / "base.css").read_text()
    light, _, dark = base.partition("prefers-color-scheme: dark")
    for sheet, name in ((light, "accent"), (dark, "accent_dark")):
        assert {f"--panel: {GROUNDS[name][0]}", f"--ground: {GROUNDS[name][1]}"} <= {
            line.strip(" ;") for line in sheet.splitlines()
        }
        assert f"--on-accent: {ON_ACCENT[name]};" in sheet


def test_the_shades_that_go_with_a_colour_can_be_read_too() -> None:
    for accent, dark in (("#3557c9", "#9db4ff"), ("#7a1f5c", "#f0a8d0"), ("#0b6e4f", "#5fd3a8")):
        sheet = colours(Look(accent=accent, accent_dark=dark))
        found = [line for line in sheet.splitlines() if "--accent:" in line]
        for line in found:
            values = dict(
                part.strip().split(": ") for part in line.split("{")[-1].split("}")[0].split(";")[:-1]
            )
            assert contrast(values["--accent-strong"], values["--tint"]) >= 4.5


def test_a_site_has_its_name_logo_colours_and_templates(tmp_path: Path) -> None:
    (tmp_path / "logo.svg").write_text("<svg/>")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "base.html").write_text(
        '{% extends "apphub/base.html" %}{% block footer %}<p>Ours &amp; {{ look.name }}</p>{% endblock %}'
    )
    look = Look(name="Nebula <b>", logo=tmp_path / "logo.svg", accent="#7a1f5c", templates=folder)
    renderer = Renderer("/", look=look)
    page = renderer.page(contexts.Home(), SHELL, language="en").decode()
    assert "Nebula &lt;b&gt;</title>" in page
    assert "<p>Ours &amp; Nebula &lt;b&gt;</p>" in page
    assert "/hub/static/logo-of-site.svg?v=" in page
    assert b"--accent: #7a1f5c" in renderer.statics["hub.css"].body
    assert "Hello, ada" in page


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox · Linux"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 Version/17 Safari/605",
            "Safari · macOS",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/126 Safari/537 Edg/126", "Edge · Windows"),
        ("curl/8.9", "curl/8.9"),
        ("", ""),
    ],
)
def test_a_browser_is_called_what_people_call_it(agent: str, words: str) -> None:
    assert browser_words(agent) == words


def entry(actor: str, action: str = "server.stop", behalf: str | None = None, after: object = None) -> Entry:
    return Entry(1, NOW, actor, behalf, action, "server:ada/lab", None, after, "192.0.2.1", None)


@pytest.mark.parametrize(
    ("actor", "behalf", "english", "italian"),
    [
        ("user:ada", None, "ada", "ada"),
        ("service:culler", None, "the service culler", "il servizio culler"),
        ("client:service-wiki", "user:ada", "ada, through the service wiki", "ada, tramite il servizio wiki"),
        (
            "server:ada/lab",
            "user:ada",
            "ada, through the server ada/lab",
            "ada, tramite il server ada/lab",
        ),
        ("command line", None, "command line", "command line"),
    ],
)
def test_who_did_it_is_said_in_words(actor: str, behalf: str | None, english: str, italian: str) -> None:
    assert who("en", entry(actor, behalf=behalf)) == english
    assert who("it", entry(actor, behalf=behalf)) == italian


def test_a_story_tells_each_start_once_and_what_the_hub_did_once() -> None:
    story = [
        Progress(1, 1, NOW, 0, REQUESTED),
        Progress(2, 2, NOW + timedelta(minutes=1), 0, REQUESTED),
        Progress(3, 2, NOW + timedelta(minutes=2), 100, words(timedelta(hours=1))),
    ]
    entries = [
        entry("hub", after={"why": words(timedelta(hours=1))}),
        entry("user:eve", "server.start", after={"attempt": 1, "profile": "lab"}),
    ]
    assert [(one.text, one.actor) for one in told("en", story, entries)] == [
        ("Stopped after 1 hour without use.", ""),
        (REQUESTED, ""),
        (REQUESTED, "eve"),
    ]
