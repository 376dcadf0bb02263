"""The administrators' pages, each filled in all the ways that its template tells apart."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace

from apphub.pages import admin_contexts as a
from apphub.pages import admin_profile_contexts as p
from apphub.pages.contexts import Choice, ServerRow, State

NOW = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
FRAME = a.Frame(
    tabs=tuple(
        a.Tab(kind, "/hub/admin/x")
        for kind in ("users", "groups", "servers", "profiles", "services", "tokens", "audit", "status")
    ),
    kind="users",
    here="/hub/admin?search=e",
    search="e",
    before="/hub/admin?before=x",
    after="/hub/admin?after=x",
)
SORTED = replace(
    FRAME, order="name", orders=(Choice("/hub/admin?sort=name", "name"), Choice("/hub/admin", "-activity"))
)
EMPTY = a.Frame(order="name")
_SERVERS = tuple(
    ServerRow(
        user="ada", name=name, state=state, url="/user/ada/", profile="p", started=NOW, last_activity=NOW
    )
    for name, state in (("", State.READY), ("lab", State.STARTING), ("old", State.FAILED))
)
_ENTRIES = (
    a.Entry(
        at=NOW,
        actor="server:ada/lab",
        behalf="user:ada",
        action="server.stop",
        target="server:ada/lab",
        before="{}",
        after="{}",
        address="192.0.2.1",
        request_id="r1",
    ),
    a.Entry(at=NOW, actor="hub", action="server.stop", target="server:ada/"),
)
_JOB = a.JobRow(id=7, kind="add-to-group", target="geo", created=NOW, total=4, done=2, failed=1)
_USERS = a.AdminUsers(
    frame=SORTED,
    users=(
        a.UserRow(name="ada", admin=True, groups=("geo", "sea"), last_activity=NOW, running=2),
        a.UserRow(name="eve"),
    ),
    group="geo",
    active=True,
    all_path="/hub/admin",
    active_path="/hub/admin?active=1",
    may_add=True,
    may_stop=True,
    may_delete=True,
    groups=("geo", "sea"),
)
_USER = a.AdminUser(
    frame=FRAME,
    name="ada",
    admin=True,
    created=NOW,
    last_activity=NOW,
    groups=("geo", "sea"),
    roles=("r",),
    servers=_SERVERS,
    may_start=True,
    may_change=True,
    may_delete=True,
    may_groups=True,
    entries=_ENTRIES,
    log_path="/hub/admin/audit",
    error="It failed.",
)
_ADD = a.AdminAdd(
    frame=FRAME,
    text="ada,geo,yes",
    lines=(
        a.NewLine(number=1, name="ada", groups=("geo",), admin=True, note="Is there."),
        a.NewLine(number=2, name="", problem="No name."),
    ),
    wrong=1,
    checked=True,
    error="Wrong.",
)
_GROUP = a.AdminGroup(
    frame=FRAME,
    name="geo",
    count=2,
    members=(a.MemberRow(name="ada", last_activity=NOW), a.MemberRow(name="eve", declared=True)),
    roles=("r",),
    profiles=(Choice("lab", "Lab"),),
    properties="{}",
    may_fill=True,
    may_delete=True,
    may_users=True,
    names="bob",
    error="No such user.",
)
_PROFILE = p.AdminProfile(
    frame=FRAME,
    slug="lab",
    name="Lab",
    version=2,
    may_change=True,
    text="command: [x]",
    checked=True,
    preview=p.Preview(command="x", environment=(("A", "1"),), cwd="/home", notes=("Careful.",)),
    bindings=(
        p.BindingRow(id=1, whom="group:geo", options='{"size": 1}'),
        p.BindingRow(id=2, whom="role:user", declared=True),
    ),
    versions=(
        p.VersionRow(number=2, created=NOW, actor="user:ada", current=True),
        p.VersionRow(number=1, created=NOW, actor="settings"),
    ),
    whom="group:sea",
    error="It failed.",
)

ADMIN_PAGES: tuple[Any, ...] = (
    _USERS,
    replace(_USERS, may_stop=False, may_delete=False, groups=(), may_add=False),
    a.AdminUsers(frame=replace(EMPTY, search="nobody")),
    a.AdminUsers(frame=EMPTY),
    *(
        a.AdminConfirm(
            frame=FRAME,
            what=what,
            fields=fields,
            count=count,
            some=some,
            changed=bool(count),
            back="/hub/admin",
        )
        for what, fields in (
            ("users", (("names", "ada\neve"),)),
            ("servers", (("all", "1"), ("search", "e"))),
        )
        for count, some in ((40, ("ada", "eve")), (0, ()))
    ),
    _USER,
    a.AdminUser(frame=FRAME, name="eve", declared=True, may_change=True, log_path="/hub/admin/audit"),
    a.AdminAdd(frame=FRAME),
    _ADD,
    replace(_ADD, wrong=0, lines=_ADD.lines[:1], error=""),
    a.AdminGroups(
        frame=FRAME,
        groups=(
            a.GroupRow(name="geo", members=2, roles=("r",), profiles=("Lab",), declared=True),
            a.GroupRow(name="sea"),
        ),
        may_create=True,
        name="new",
        error="Taken.",
    ),
    a.AdminGroups(frame=EMPTY),
    _GROUP,
    replace(_GROUP, declared=True, may_fill=False, members=(), roles=(), profiles=(), properties=""),
    a.AdminServers(
        frame=SORTED,
        servers=_SERVERS,
        active=True,
        all_path="/hub/admin/servers",
        active_path="/hub/admin/servers?active=1",
        may_stop=True,
    ),
    a.AdminServers(frame=EMPTY),
    a.AdminServices(
        frame=SORTED,
        services=(
            a.ServiceRow(name="culler", url="http://127.0.0.1:9", admin=True, roles=("r",), managed=True),
            a.ServiceRow(name="old", declared=True),
            a.ServiceRow(name="new", may_delete=True),
        ),
    ),
    a.AdminServices(frame=EMPTY),
    a.AdminServices(frame=replace(EMPTY, search="nothing")),
    a.AdminTokens(
        frame=FRAME,
        tokens=(
            a.OwnedToken(
                id="a1",
                owner="ada",
                note="Script",
                scopes=("inherit", "self", "users", "groups"),
                created=NOW,
                last_used=NOW,
                expires=NOW,
                may_revoke=True,
            ),
            a.OwnedToken(id="a2", owner="culler", kind="service", app="An app", created=NOW),
        ),
    ),
    a.AdminTokens(frame=EMPTY),
    a.AdminAudit(
        frame=FRAME,
        entries=_ENTRIES,
        actor="user:ada",
        target="server:ada/",
        action="server",
        since="2030-01-01",
        until="2030-02-01",
        actions=("server", "server.stop"),
        export="/hub/api/audit/export",
        error="Wrong.",
    ),
    a.AdminAudit(frame=EMPTY, export="/hub/api/audit/export"),
    a.AdminStatus(
        frame=FRAME,
        version="1.0",
        api_version="6.1.1",
        python="3.13",
        replicas=(
            a.ReplicaRow(name="one", edges=1, seen=NOW, here=True),
            a.ReplicaRow(name="two", edges=1, seen=NOW),
        ),
        edges=("edge",),
        database="SQLite",
        database_ms=1.5,
        users=3,
        problems=("bad",),
        may_reload=True,
    ),
    a.AdminStatus(frame=EMPTY, version="1.0"),
    a.AdminJob(frame=FRAME, job=_JOB, problems=(a.ProblemRow("eve", "No."),), others=(replace(_JOB, id=6),)),
    *(
        a.AdminJob(frame=EMPTY, job=replace(_JOB, kind=kind, state=state, failed=failed))
        for kind, state, failed in (
            ("stop", "done", 0),
            ("remove", "done", 0),
            ("stop-all", "done", 2),
            ("delete", "cancelled", 0),
            ("take-from-group", "running", 0),
        )
    ),
    p.AdminProfiles(
        frame=SORTED,
        profiles=(
            p.ProfileRow(slug="lab", name="Lab", default=True, whom=("group:geo",)),
            p.ProfileRow(slug="old", name="Old", declared=True, withdrawn=NOW),
        ),
        may_change=True,
    ),
    p.AdminProfiles(frame=EMPTY),
    p.AdminProfiles(frame=replace(EMPTY, search="nothing")),
    _PROFILE,
    replace(_PROFILE, declared=True, checked=False, preview=None),
    replace(_PROFILE, withdrawn=True, problems=("command: is missing",), bindings=()),
    p.AdminProfile(frame=FRAME, may_change=True, text="a: 1"),
)
