"""Every page, rendered: what comes from people stays text, and what pages need is there."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jinja2 import UndefinedError
from page_samples import NOW, PAGES, SHELL, filled_with

from apphub.pages import admin_contexts, admin_profile_contexts, contexts, details
from apphub.pages.render import Renderer, Words

RENDERER = Renderer("/apps/", now=lambda: NOW)
NAMES = [f"{index}-{type(page).__name__}" for index, page in enumerate(PAGES)]
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)' x='",
    "javascript:alert(1)",
    "//evil.example/",
    "{{ 7 * 7 }}</textarea></title></pre><!--",
]
URLS = {"href", "src", "action", "formaction"}
VOID = {"meta", "link", "input", "img", "path"}

Attributes = dict[str, str | None]


class Outline(HTMLParser):
    """Elements with their attributes, as a browser would find them."""

    def __init__(self, html: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.open: list[str] = []
        self.forms: list[tuple[Attributes, list[Attributes]]] = []
        self.feed(html.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        assert len(attributes) == len(attrs), f"an attribute appears twice: {attrs}"
        self.elements.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "form":
            self.forms.append((attributes, []))
        elif tag == "input" and "form" in self.open:
            self.forms[-1][1].append(attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def shape(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(tag, tuple(attributes)) for tag, attributes in self.elements]

    def values(self, name: str) -> list[str]:
        return [attributes[name] or "" for _, attributes in self.elements if name in attributes]


def outline(page: Any, shell: Any = SHELL, language: str = "en") -> Outline:
    return Outline(RENDERER.page(page, shell, language=language))


@pytest.mark.parametrize("language", ["en", "it"])
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_hostile_text_changes_no_element_and_no_attribute(
    page: contexts.Page, text: str, language: str
) -> None:
    harmless = outline(filled_with(page, "x"), filled_with(SHELL, "x"), language)
    hostile = outline(filled_with(page, text), filled_with(SHELL, text), language)
    assert hostile.shape() == harmless.shape()
    for name in (*URLS, "data-events"):
        assert [
            u
            for u in hostile.values(name)
            if not u.startswith("/apps/") and u not in ("#main", "#apps-title")
        ] == []


def test_a_long_page_that_is_kept_is_kept_for_what_it_says_and_in_its_language() -> None:
    (page,) = [one for one in PAGES if isinstance(one, contexts.ApiDocs)]
    for text in ("one", "another", "one"):
        for language, word in (("en", "always"), ("it", "sempre")):
            shown = RENDERER.page(filled_with(page, text), SHELL, language=language).decode()
            assert f"<p>{text}</p>" in shown
            assert f"<b>{word}</b>" in shown


def _classes() -> list[type]:
    """Everything that may be shown: the classes of contexts that name a template."""
    modules = (contexts, details, admin_contexts, admin_profile_contexts)
    found = [one for module in modules for one in vars(module).values() if isinstance(one, type)]
    return [one for one in found if isinstance(getattr(one, "template", None), str)]


def test_every_page_is_among_the_samples_and_every_template_is_a_pages_or_a_part() -> None:
    shown = set(_classes())
    assert {type(page) for page in PAGES} == shown
    folder = Path(contexts.__file__).parent / "templates"
    parts = {"base.html", "admin_base.html", "admin_list.html"}  # the frames, and what has nothing but macros
    parts |= {path.name for path in folder.iterdir() if "{% macro" in path.read_text()}
    templates = {path.name for path in folder.iterdir()}
    assert templates - parts <= {one.template for one in shown}  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_scripts_and_styles_are_only_files_of_our_own(page: contexts.Page) -> None:
    for tag, attributes in outline(page).elements:
        assert tag != "style"
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        if tag == "script":
            assert (attributes["src"] or "").startswith("/apps/hub/static/")
        if tag == "link":
            assert (attributes["href"] or "").startswith("/apps/hub/static/")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_form_but_a_search_is_a_post_with_the_xsrf_field(page: contexts.Page) -> None:
    for form, inputs in outline(page).forms:
        if form.get("role") == "search":
            assert form["method"] == "get"  # it changes nothing, and its address can be kept
            assert "_xsrf" not in [field["name"] for field in inputs]
            continue
        assert form["method"] == "post"
        assert {"type": "hidden", "name": "_xsrf", "value": "xsrf-1"} in inputs


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_page_has_landmarks_one_title_unique_ids_and_labelled_fields(page: contexts.Page) -> None:
    found = outline(page)
    tags = [tag for tag, _ in found.elements]
    assert (tags.count("main"), tags.count("h1"), tags.count("title")) == (1, 1, 1)
    assert found.values("lang") == ["en"]
    ids = found.values("id")
    assert len(ids) == len(set(ids))
    labels = set(found.values("for"))
    for tag, attributes in found.elements:
        if tag == "select" or (tag == "input" and attributes.get("type") != "hidden"):
            assert attributes["id"] in labels or "aria-labelledby" in attributes
    for name in ("aria-describedby", "aria-labelledby", "for", "popovertarget", "data-reveal"):
        for value in found.values(name):
            assert set(value.split()) <= set(ids), f"{name}={value}"


def test_sign_in_works_with_password_managers_and_keeps_where_to_go() -> None:
    found = outline(contexts.SignIn(next="/hub/token?a=1"), contexts.Shell(xsrf="k"))
    fields = {attributes.get("name"): attributes for tag, attributes in found.elements if tag == "input"}
    assert fields["username"]["autocomplete"] == "username"
    assert "autofocus" in fields["username"]
    assert fields["password"]["autocomplete"] == "current-password"
    assert fields["_xsrf"]["value"] == "k"
    assert found.values("action") == ["/apps/hub/login?next=%2Fhub%2Ftoken%3Fa%3D1"]


def test_the_page_of_a_stopped_server_has_a_start_button_and_a_way_to_the_options() -> None:
    found = outline(contexts.Stopped(user="ada", server="lab", next="/apps/user/ada/lab/tree"))
    assert "start" in found.values("id")
    query = "?next=%2Fapps%2Fuser%2Fada%2Flab%2Ftree"
    assert f"/apps/hub/start/ada/lab{query}" in found.values("action")
    assert f"/apps/hub/spawn/ada/lab{query}" in found.values("href")


def test_names_in_urls_are_percent_encoded() -> None:
    found = outline(contexts.Stopped(user="a b?#%é", next=""))
    assert "/apps/hub/start/a%20b%3F%23%25%C3%A9" in found.values("action")


def test_each_state_offers_what_can_be_done_in_it() -> None:
    offered = {}
    for state in contexts.State:
        row = contexts.ServerRow(user="ada", name="lab", state=state, url="/user/ada/lab/", details=True)
        found = outline(contexts.Home(servers=(row,)))
        urls = found.values("action") + found.values("href")
        offered[state.value] = {url.split("/")[3] for url in urls if url.endswith("/ada/lab")}
    for verbs in offered.values():
        verbs.discard("server")  # its page is always there
    assert offered == {
        "starting": {"spawn-pending", "stop", "delete"},
        "ready": {"stop", "restart", "delete"},
        "stopping": {"delete"},
        "stopped": {"start", "delete"},
        "failed": {"start", "delete"},
    }


def test_a_ticked_box_posts_true_after_false() -> None:
    page = next(page for page in PAGES if isinstance(page, contexts.Spawn))
    boxes = [field for _, inputs in outline(page).forms for field in inputs if field["name"] == "option:gpu"]
    assert [(field["type"], field["value"]) for field in boxes] == [("hidden", "false"), ("checkbox", "true")]


def test_an_app_asks_only_for_the_scopes_it_lists() -> None:
    page = next(page for page in PAGES if isinstance(page, contexts.Consent))
    _, inputs = outline(page).forms[1]
    assert [field["value"] for field in inputs if field["name"] == "scopes"] == [
        "read:users!user",
        "servers!user",
    ]


def test_without_scripts_the_progress_page_reloads_itself_until_it_failed() -> None:
    waiting = contexts.SpawnPending(user="ada", events="/hub/e")
    failed = contexts.SpawnPending(user="ada", events="/hub/e", failed="It ended.")
    assert "refresh" in outline(waiting).values("http-equiv")
    assert "refresh" not in outline(failed).values("http-equiv")


def test_a_missing_context_is_an_error_and_not_an_empty_page() -> None:
    with pytest.raises(UndefinedError):
        RENDERER.render("home.html", {"shell": SHELL}, language="en")


def test_an_unknown_language_is_answered_in_english() -> None:
    assert outline(contexts.Home(), language="xx").values("lang") == ["en"]


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("/user/ada/lab?x=1#y", True),
        ("/", True),
        ("//evil.example/", False),
        ("/\\evil.example", False),
        ("/a\\b", False),
        ("/\t/evil.example", False),
        ("\\\\evil.example", False),
        ("https://evil.example/", False),
        ("javascript:alert(1)", False),
        ("", False),
    ],
)
def test_only_paths_on_this_host_are_linked_as_local(url: str, kept: bool) -> None:
    assert RENDERER.local(url) == (url if kept else "/apps/hub/home")


def test_web_addresses_are_http_or_https() -> None:
    assert RENDERER.web("https://docs.example/a?b") == "https://docs.example/a?b"
    assert RENDERER.web("/services/docs/") == "/services/docs/"
    for bad in ("javascript:alert(1)", "data:text/html,x", "https:evil", "http://a b", "https:///evil"):
        assert RENDERER.web(bad) == "/apps/hub/home"


def test_times_and_sizes_are_said_in_words_of_the_language() -> None:
    english, italian = Words("en", lambda: NOW), Words("it", lambda: NOW)
    assert english.ago(NOW - timedelta(hours=3)) == "3 hours ago"
    assert english.ago(NOW + timedelta(days=10)) == "in 10 days"
    assert italian.ago(NOW - timedelta(minutes=2)) == "2 minuti fa"
    assert [english.duration(timedelta(days=n)) for n in (1, 30, 365)] == ["1 day", "30 days", "1 year"]
    assert italian.duration(timedelta(days=30)) == "30 giorni"
    assert [english.size(n) for n in (2 << 30, 3 << 29, 512 << 20, 2048)] == [
        "2 GB",
        "1.5 GB",
        "512 MB",
        "2 KB",
    ]
    assert (english.amount(1.5), italian.amount(1.5), italian.amount(2)) == ("1.5", "1,5", "2")
    assert [english.number(n) for n in (4.0, 0.5, 10_000_000.0)] == ["4", "0.5", "10000000"]
