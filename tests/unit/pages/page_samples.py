"""One filled context of every page, with every branch of its template taken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from admin_samples import ADMIN_PAGES
from msgspec import Struct, structs

from apphub.admission import Spot
from apphub.pages import contexts as c
from apphub.pages import details as d
from apphub.web.apidoc import Answer, Book, Field, Operation, Section, Shape

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)

_OPTIONS = (
    c.OptionField(name="folder", title="Folder", value="work", description="Below home.", error="Too long."),
    c.OptionField(name="cpus", title="CPUs", kind="number", value="2", minimum=1, maximum=8, step=1),
    c.OptionField(name="rate", title="Rate", kind="number", value="0.5", required=True, error="Missing."),
    c.OptionField(
        name="image",
        title="Image",
        kind="select",
        value="geo",
        choices=(c.Choice("geo", "Geo"),),
        error="No.",
    ),
    c.OptionField(name="pick", title="Pick", kind="select", required=True, choices=(c.Choice("a", "A"),)),
    c.OptionField(name="gpu", title="GPU", kind="checkbox", checked=True, description="Slow.", error="No."),
)
_CARDS = (
    c.Card(
        slug="lab",
        name="Lab",
        description="Notebooks.",
        icon="notebook",
        memory_bytes=4 << 30,
        cpus=1.5,
        options=_OPTIONS,
    ),
    c.Card(slug="desk", name="Desktop", icon="🗺️", locked="Only for the group geo.", ask="Write to us."),
)
SERVERS = tuple(
    c.ServerRow(
        user="ada",
        name="lab",
        display_name="My lab",
        state=state,
        reason="It ended.",
        profile="Lab",
        icon="chart",
        started=NOW - timedelta(hours=3),
        last_activity=NOW - timedelta(minutes=2),
        url="/user/ada/lab/",
        guests=(
            c.Guest(name="eve", expires=NOW + timedelta(days=1)),
            c.Guest(name="team", kind="group", may_use=False),
        )
        if state is c.State.READY
        else (),
        address="http://hub.example/user/ada/lab/",
        idle_end=NOW + timedelta(hours=1),
        details=True,
    )
    for state in c.State
)
GOING = structs.replace(SERVERS[0], state=c.State.STOPPED, removal=NOW + timedelta(seconds=20))
SHELL = c.Shell(
    user="ada", xsrf="xsrf-1", admin=True, announcement="Friday.", messages=(c.Message("Done.", "good"),)
)
PAGES: tuple[c.Page, ...] = (
    c.SignIn(next="/hub/home", username="ada", error="Wrong.", hint="Ask."),
    c.SignIn(shared=True),
    c.SignIn(closed=True),
    c.Home(
        servers=(*SERVERS, GOING),
        cards=_CARDS,
        shared=SERVERS,
        check="/apps/hub/check/ada",
        services=(c.Link("Docs", "/services/docs/"),),
        suggested_name="lab-2",
    ),
    c.Home(cards=_CARDS, first_run=True),
    c.Home(),
    c.Spawn(
        user="eve", server="lab", card=_CARDS[0], others=(c.Choice("b", "B"),), next="/user/eve/", error="No."
    ),
    c.Spawn(user="ada", card=_CARDS[1]),
    c.Spawn(user="ada", error="Nothing."),
    c.SpawnPending(
        user="eve",
        server="lab",
        profile="Lab",
        events="/hub/e",
        progress=50,
        messages=("One",),
        next="/user/eve/lab/x",
        back="/hub/admin",
        log="line",
    ),
    c.SpawnPending(user="ada", events="/hub/e", spot=Spot(3, 20, "its turn")),
    c.SpawnPending(user="ada", events="/hub/e", spot=Spot(1, None, "memory: group <b> uses 3 of 4 GB")),
    c.SpawnPending(
        user="ada",
        events="/hub/e",
        failed="It ended.",
        advice="Try again.",
        log="line",
        details="/hub/server/ada",
        report="/hub/report/ada",
    ),
    *(
        d.ServerDetails(
            server=server,
            created=NOW,
            card=_CARDS[0],
            options=(("Folder", "work"), ("GPU", "✓")),
            events=(
                d.Event(at=NOW, text="Server requested", actor="ada"),
                d.Event(at=NOW, text="The program is gone."),
            ),
            visits=(d.Visit(at=NOW, who="eve"), d.Visit(at=NOW, who="ada, through the service wiki")),
            log="line",
            earlier_log="older line",
            may_rename=True,
            report="/hub/report/ada/lab",
        )
        for server in (*SERVERS, GOING)
    ),
    d.ServerDetails(server=c.ServerRow(user="ada", state=c.State.STOPPED), created=NOW),
    d.ServerDetails(server=c.ServerRow(user="ada", state=c.State.STOPPED), created=NOW, visits=()),
    d.SignIns(
        rows=(
            d.SignInRow(id="1", created=NOW, expires=NOW, agent="Firefox", address="192.0.2.1", current=True),
            d.SignInRow(id="2", created=NOW, expires=NOW),
        ),
        password=True,
    ),
    d.NewPassword(minimum=10, error="Wrong.", tokens=2),
    d.NewPassword(minimum=10),
    *(
        c.Stopped(
            user=user, server=server, next="/user/ada/lab?x=1", state=state, reason="It ended.", may_start=may
        )
        for user in ("ada", "eve")
        for server in ("", "lab")
        for state in c.State
        for may in (True, False)
    ),
    d.Tokens(
        new_token="secret",
        note="n",
        scopes="s",
        limited=True,
        offered=(
            c.ScopeLine(scope="read:servers!user", description="See servers."),
            c.ScopeLine(scope="servers!user", description="Start servers.", required=False),
        ),
        lives=(timedelta(days=30), None),
        error="No.",
        tokens=(
            d.TokenRow(id="1", note="Script", may=("One.", "Two."), created=NOW, last_used=NOW, expires=NOW),
            d.TokenRow(id="2", created=NOW),
        ),
        apps=(d.AppRow(client_id="app", name="App", created=NOW, last_used=NOW, tokens=2),),
    ),
    d.Tokens(),
    c.Consent(
        action="/hub/api/oauth2/authorize?x=1",
        app="App",
        destination="app.example",
        cancel_url="https://app.example/cb?error=access_denied",
        scopes=(
            c.ScopeLine(scope="read:users!user", description="Read your name"),
            c.ScopeLine(scope="servers!user", description="Start servers", required=False),
        ),
    ),
    *(
        c.AcceptShare(
            code="secret",
            owner="eve",
            server=server,
            scopes=(c.ScopeLine(scope="access:servers!server=eve/", description="Open it"),),
            next="/user/eve/",
        )
        for server in ("", "lab")
    ),
    *ADMIN_PAGES,
    c.ApiDocs(
        book=Book(
            "The API.",
            (
                Section(
                    "users",
                    "Users.",
                    (
                        Operation(
                            method="GET",
                            path="/hub/api/users",
                            about="List users.",
                            needs="list:users",
                            query=(Field("limit", "whole number", "How many."),),
                            body="CreateUser",
                            answers=(Answer(200, "OK", "list of User"), Answer(204, "No content")),
                        ),
                    ),
                ),
            ),
            (
                Shape("User", "A user.", (Field("name", "text", "Who.", True),), '"a" or "b"'),
                Shape("X", "", ()),
            ),
        )
    ),
    c.Error(status=404, title="Gone", message="Nothing here.", advice="Look elsewhere.", request_id="r1"),
    c.Error(status=500, request_id="r1"),
    c.Error(status=418),
    c.Error(status=403, title="Please sign in", message="Ended.", sign_in=True),
)

#: Words that the templates themselves branch on.
_OWN_WORDS = {"kind", "state", "what"}


def filled_with(value: Any, text: str) -> Any:
    """The same value with every text in it that comes from people replaced by `text`."""
    if isinstance(value, str):
        return text if value else value
    if isinstance(value, tuple):
        return tuple(filled_with(item, text) for item in value)
    if isinstance(value, Struct):
        changes = {
            name: filled_with(getattr(value, name), text)
            for name in value.__struct_fields__
            if name not in _OWN_WORDS
        }
        return structs.replace(value, **changes)
    return value
