"""A hub that many use, and the addresses of all of its pages, as its people would open them."""

from __future__ import annotations

import sqlalchemy as sa
from page_site import BY, Site

from all_routes import routes
from apphub.db import Database
from apphub.db import tables as t
from apphub.db.types import Moment, to_micros
from apphub.jobs.model import Kind
from apphub.kit import clock, secrets
from apphub.people import store as people
from apphub.people.model import Source
from apphub.people.services import NewService
from apphub.servers.model import ServerKey
from apphub.shares.model import With

#: GET routes that are no pages: they send people on, or are for programs and for downloads.
NO_PAGES = (
    "/",
    "/hub",
    "/hub/{rest}",
    "/hub/api",
    "/hub/health",
    "/hub/logout",
    "/hub/spawn",
    "/hub/spawn/{user}/{server}",
    "/hub/metrics",
    "/hub/logo",
    "/hub/login",  # who has signed in is sent home
    "/hub/user-redirect",
)
_NO_PAGES = ("/hub/api/", "/hub/static/", "/hub/edge/", "/hub/at/", "/hub/.well-known/", "/hub/progress/")
_NO_PAGES += ("/hub/report/", "/hub/user-redirect/", "/hub/user/{user}/", "/hub/user/{user}")
#: What stands in for the parts of paths.
_NAMES = {"user": "admin", "server": "lab", "group": "everybody", "profile": "app"}


def page_routes() -> list[str]:
    """The routes of all pages that somebody who has signed in can open."""
    found = [path for (method, path), _ in routes() if method == "GET" and path not in NO_PAGES]
    return [path for path in found if not path.startswith(_NO_PAGES)]


def addresses(code: str, job: int) -> list[str]:
    """Every page by an address, below the hub's base; lists by more than one."""
    found = []
    for path in page_routes():
        if path == "/hub/accept-share":
            found.append(f"{path}?code={code}")
        else:
            found.append(path.format(**_NAMES, job=job))
    lists = ("?sort=-activity", "?search=9&sort=activity", "?search=zzz&sort=-activity", "?active=1&search=5")
    found += [f"/hub/admin{query}" for query in lists]
    found += ["/hub/admin?group=everybody&sort=-activity", "/hub/admin/groups/everybody?search=99"]
    found += [f"/hub/admin/servers{query}" for query in ("?active=1", "?search=77", "?sort=-activity")]
    found += [f"/hub/admin/services{query}" for query in ("?search=99", "?sort=-created")]
    return [*found, "/hub/admin/tokens?search=99", "/hub/admin/audit?actor=user:ada&action=server"]


async def crowd(db: Database, count: int) -> None:
    """So many users in one group, each with a token and entries in the log, a fifth of them with a server.

    A service for every ten of them.
    """
    now = clock.now()
    for first in range(0, count, 5000):
        names = [f"{number:06}.someone@research.example" for number in range(first, min(first + 5000, count))]
        async with db.write() as tx:
            await people.insert_people(tx, names, admin=False, source=Source.API, now=now)
    async with db.write() as tx:
        group = (
            sa.insert(t.groups).values(name="everybody", properties={}, source="api").returning(t.groups.c.id)
        )
        group_id = (await tx.execute(group)).scalar_one()
        everybody = list((await tx.execute(sa.select(t.users.c.id, t.users.c.name))).all())
        await tx.execute(
            sa.insert(t.memberships),
            [{"group_id": group_id, "user_id": key, "source": "api"} for key, _ in everybody],
        )
        u = t.users.c
        minutes = sa.type_coerce(u.id, sa.BigInteger) * 7919 % count
        seen = sa.type_coerce(to_micros(now) - minutes * 60_000_000, Moment)
        await tx.execute(sa.update(t.users).where(u.id % 5 != 0).values(last_activity=seen))
        await tx.execute(
            sa.insert(t.servers),
            [
                {
                    "user_id": key,
                    "name": "lab",
                    "created": now,
                    "wanted": "stopped",
                    "phase": "stopped",
                    "attempt": 1,
                    "phase_attempt": 1,
                    "last_activity": now,
                }
                for key, _ in everybody[::5]
            ],
        )
        await tx.execute(
            sa.insert(t.tokens),
            [
                {
                    "user_id": key,
                    "prefix": f"{index:010}",
                    "digest": secrets.new_token(),
                    "scheme": "sha256",
                    "source": "api",
                    "note": "a script",
                    "scopes": ["inherit"],
                    "created": now,
                }
                for index, (key, _) in enumerate(everybody)
            ],
        )
        await tx.execute(
            sa.insert(t.services),
            [
                {"name": f"service-{number:06}", "info": {}, "url": "http://127.0.0.1:9", "source": "api"}
                for number in range(count // 10)
            ],
        )
        await tx.execute(
            sa.insert(t.audit),
            [
                {
                    "at": now,
                    "actor": f"user:{name}",
                    "action": "server.start",
                    "target": f"server:{name}/lab",
                    "after": {"attempt": 1},
                }
                for _, name in everybody
            ],
        )


async def furnish(site: Site) -> list[str]:
    """Something on every page; the addresses of all pages, for the administrator."""
    await site.meet("admin", "ada")
    for name in ("", "lab", "other", "third"):
        await site.failed("admin", name)
    await site.failed("ada", "hers")
    admin = await site.actor("admin")
    await site.hub.services.create(admin, BY, NewService(name="docs", url="http://127.0.0.1:9"))
    await site.hub.shares.grant(admin, BY, ServerKey("ada", "hers"), With(user="admin"), None)
    _, code = await site.hub.shares.create_code(admin, BY, ServerKey("ada", "hers"), None, None)
    job = await site.hub.jobs.begin(admin, BY, Kind.STOP_ALL, ["ada", "nobody-here"])
    return addresses(code, job)
