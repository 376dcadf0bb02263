"""The composition root: everything is built here, and nowhere else.

`open_hub(settings)` yields a `Hub` whose loops run; leaving the block stops them and lets go
of everything, except the servers of users, which go on.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import structlog
from msgspec import Struct

from apphub.access.actions import Access
from apphub.access.actor import EVERYTHING
from apphub.admission import Admission
from apphub.audit import Audit
from apphub.db import Database, DatabaseAway, InTheWay, open_database
from apphub.db.kept import Kept
from apphub.declared import declare
from apphub.declared.newest import changed_at
from apphub.declared.reload import Reader, Reload
from apphub.idempotency import Keeping
from apphub.importer import collect
from apphub.jobs import Jobs
from apphub.kit import metrics
from apphub.kit.secrets import Keys
from apphub.kit.urls import Urls
from apphub.listings import Listings
from apphub.login import Login
from apphub.oauth.actions import Provider
from apphub.passes import Passes
from apphub.passes.tokens import Signer
from apphub.people import People
from apphub.profiles import Catalogue, Profiles
from apphub.proxy.base import DataPlane
from apphub.reconcile.jobs import JobRunner
from apphub.reconcile.launch_rights import LaunchRights
from apphub.reconcile.logs import Logs
from apphub.reconcile.loop import Reconciler
from apphub.reconcile.outcomes import Recorder
from apphub.reconcile.ports import Ports
from apphub.reconcile.removals import Removals
from apphub.reconcile.routes import Publisher
from apphub.reconcile.services import ServiceKeeper
from apphub.reconcile.steps import Steps
from apphub.reconcile.usage import Usage
from apphub.reconcile.visitors import VisitorReview
from apphub.replicas import Replicas
from apphub.runtimes.base import Runtime
from apphub.runtimes.null import NotesIn, NullRuntime
from apphub.runtimes.process.driver import ProcessRuntime
from apphub.servers.actions import Servers
from apphub.servers.care import Care
from apphub.servers.launch import Surroundings
from apphub.servers.views import Views
from apphub.services import Services
from apphub.services.launch import service_spec
from apphub.settings import Settings
from apphub.shares import Shares
from apphub.status import Status

log = structlog.get_logger(__name__)

#: How often what has ended (tokens, sessions, codes) is deleted.
SWEEP = timedelta(minutes=10)
#: Seconds until a loop tries again that the database has let down.
AGAIN = 0.5


class Hub(Struct, frozen=True):
    """What the doors work with."""

    settings: Settings
    urls: Urls
    keys: Keys
    db: Database
    access: Access
    audit: Audit
    people: People
    servers: Servers
    care: Care
    services: Services
    shares: Shares
    passes: Passes
    views: Views
    listings: Listings
    jobs: Jobs
    status: Status
    replicas: Replicas
    profiles: Profiles
    admission: Admission
    reload: Reload
    around: Surroundings
    login: Login
    oauth: Provider
    runtime: Runtime
    logs: Logs
    plane: DataPlane
    publisher: Publisher
    usage: Usage
    keeping: Keeping
    #: Answers to callers who asked a moment ago who they are.
    who: Kept[bytes]
    #: Passwords made for administrators at this start, to be shown once.
    new_passwords: dict[str, str]
    #: Set to end the hub.
    stopping: asyncio.Event

    @property
    def catalogue(self) -> Catalogue:
        """What may be launched, and by whom, as it was a moment ago: for showing."""
        return self.profiles.catalogue


def place_of(settings: Settings, *, alone: bool) -> str:
    """The name of this machine in rows: the data folder's only hub has no need of one that could change."""
    return "local" if alone else settings.cluster.name or socket.gethostname()


def admins_of(settings: Settings) -> tuple[str, ...]:
    """The administrators that exist from the start; one called `admin` where nobody was named."""
    if settings.login.admins or settings.login.shared_password is not None:
        return settings.login.admins
    return ("admin",)


@asynccontextmanager
async def open_hub(
    settings: Settings,
    api_origin: str,
    plane: DataPlane,
    stopping: asyncio.Event,
    reader: Reader | None = None,
    file: Path | None = None,
    door: str = "",
) -> AsyncGenerator[Hub]:
    """A hub whose loops run, with servers told to reach it at `api_origin` (http://127.0.0.1:8081).

    `door` (HOST:PORT) is where edges of other machines reach this one. `reader` reads the settings again when their `file`, or one they name, has changed.
    """
    async with AsyncExitStack() as stack:
        data_dir = settings.data_dir
        keys = Keys.load(settings.secret_key_file)
        db = await open_database(settings.database, data_dir)
        stack.push_async_callback(db.close)
        place = place_of(settings, alone=db.exclusive)
        replicas = Replicas(db, place, door, keys.derive("same-key"))
        await replicas.join()
        offered = collect(settings)
        files = (*settings.profile_files, *((file,) if file is not None else ()))
        await declare(db, settings, admins_of(settings), keys, offered.profiles, changed_at(files))
        login = Login(db, settings.login)
        stack.callback(login.close)
        hub_id = keys.derive("hub-id")[:12]
        runtime = _runtime(settings, hub_id, place)
        stack.push_async_callback(runtime.close)
        logs = Logs(runtime, keys, place, lambda: replicas.places, settings.base_url)
        stack.push_async_callback(logs.close)
        urls = Urls(settings.base_url, api_origin, settings.public_url, settings.apps)
        plane.on_edges(replicas.has_edges)
        publisher = Publisher(db, plane, settings.edge.stream_life, urls.apps, replicas, doors=bool(door))
        around = _surroundings(settings, urls)
        keeper, service_runtime = await _service_keeper(settings, db, hub_id, keys, urls, place)
        stack.push_async_callback(service_runtime.close)
        profiles = Profiles(db)
        await profiles.refresh()
        admission = Admission(db, profiles, settings)
        reconciler = _reconciler(settings, db, runtime, replicas, keys, around, admission)
        reload = Reload(db, profiles, settings, reader, file, [str(note) for note in offered.notes])
        people = People(db)
        access = Access(db, maximum_life=settings.tokens.maximum_life)
        passes = Passes(db, access, Signer(keys), settings.edge.pass_life, settings.edge.stream_life)
        visitors = VisitorReview(db, passes, plane)
        usage = Usage(db)
        servers, views, jobs = (
            Servers(db, people, profiles, settings.limits, admission, urls.apps is not None),
            Views(db),
            Jobs(db),
        )
        audit = Audit(db, settings.audit.keep or None)
        keeping = Keeping(db)
        hub = Hub(
            settings=settings,
            urls=urls,
            keys=keys,
            db=db,
            access=access,
            audit=audit,
            people=people,
            servers=servers,
            care=Care(db),
            services=Services(db),
            shares=Shares(db, profiles),
            passes=passes,
            views=views,
            listings=Listings(db),
            jobs=jobs,
            status=Status(db, replicas, place),
            replicas=replicas,
            profiles=profiles,
            admission=admission,
            reload=reload,
            around=around,
            login=login,
            oauth=Provider(db, settings.tokens.oauth_life),
            runtime=runtime,
            logs=logs,
            plane=plane,
            publisher=publisher,
            usage=usage,
            keeping=keeping,
            who=Kept(db.changes),
            new_passwords=await _first_passwords(settings, login),
            stopping=stopping,
        )
        await publisher.start()
        stack.push_async_callback(plane.close)
        stack.push_async_callback(_leave, replicas)
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(_forever(loop, name), name=name)
                for name, loop in (
                    ("changes", db.hear),
                    ("publisher", publisher.run),
                    ("reconciler", reconciler.run),
                    ("services", keeper.run),
                    ("visitors", visitors.run),
                    ("ended streams", visitors.tell_ended),
                    ("replicas", replicas.run),
                    ("profiles", profiles.run),
                    ("launch rights", LaunchRights(db, profiles, settings.on_group_loss).run),
                    ("reload", reload.run),
                    ("removals", Removals(db).run),
                    ("jobs", JobRunner(db, access, people, servers, views).run),
                    ("usage", usage.run),
                    ("turns", metrics.watch_loop),
                    ("sweep", lambda: _sweep(replicas, access, passes, audit, jobs, keeping)),
                )
            ]
            yield hub
            for task in loops:
                task.cancel()


async def _forever(loop: Callable[[], Awaitable[None]], name: str) -> None:
    """A loop that must not end; one that does takes the hub with it, loudly.

    While the database is away all loops wait, and begin anew when it is back.
    """
    while True:
        try:
            await loop()
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            if not _passes(error):
                log.exception("loop.died", loop=name)
                raise
            log.warning("loop.waits", loop=name)
            await asyncio.sleep(AGAIN)
        else:
            raise RuntimeError(f"the {name} has ended")


def _passes(error: BaseException) -> bool:
    """Whether it is of the database, and over in a moment."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(_passes, error.exceptions))
    return isinstance(error, DatabaseAway | InTheWay)


async def _leave(replicas: Replicas) -> None:
    with suppress(DatabaseAway):  # then the others find out
        await replicas.leave()


async def _sweep(
    replicas: Replicas, access: Access, passes: Passes, audit: Audit, jobs: Jobs, keeping: Keeping
) -> None:
    while True:
        if await replicas.turn("sweep", SWEEP):
            await access.forget_expired()
            await passes.forget_expired()
            await audit.forget_old()
            await jobs.forget_old()
            await keeping.forget_expired()
        await asyncio.sleep(SWEEP.total_seconds())


async def _first_passwords(settings: Settings, login: Login) -> dict[str, str]:
    if not settings.login.password.enabled or settings.login.shared_password is not None:
        return {}
    made = {name: await login.ensure_password(name) for name in admins_of(settings)}
    return {name: password for name, password in made.items() if password is not None}


def _runtime(settings: Settings, hub_id: str, place: str) -> Runtime:
    if settings.runtime == "none":
        return NullRuntime(place, NotesIn(settings.data_dir / "null"))
    return ProcessRuntime(settings.data_dir, hub_id, settings.processes.log_size, place)


async def _service_keeper(
    settings: Settings, db: Database, hub_id: str, keys: Keys, urls: Urls, place: str
) -> tuple[ServiceKeeper, Runtime]:
    """Services run beside servers, in a runtime of their own whose objects are marked as such."""
    folder = settings.data_dir / "services"
    runtime = ProcessRuntime(folder, f"{hub_id}-services", settings.processes.log_size, place)
    ids = {service.name: service.id for service in await Services(db).list(EVERYTHING)}
    specs = [
        service_spec(service, ids[service.name], keys, urls, dict(os.environ), str(settings.data_dir))
        for service in settings.services
        if service.command
    ]
    lock = settings.data_dir / "services.lock"
    return ServiceKeeper(runtime, specs, settings.timeouts.stop.total_seconds(), lock), runtime


def _surroundings(settings: Settings, urls: Urls) -> Surroundings:
    return Surroundings(
        urls=urls,
        environ=dict(os.environ),
        homes=Path(settings.data_dir).resolve() / "homes",
        system_users=settings.processes.run_as == "system-user",
        root=os.geteuid() == 0,
    )


def _reconciler(
    settings: Settings,
    db: Database,
    runtime: Runtime,
    replicas: Replicas,
    keys: Keys,
    around: Surroundings,
    admission: Admission,
) -> Reconciler:
    steps = Steps(
        db=db,
        runtime=runtime,
        ports=Ports(*settings.processes.ports),
        keys=keys,
        around=around,
        stop_grace=settings.timeouts.stop,
        poll=settings.timeouts.poll,
        recorder=Recorder(db, admission),
    )
    return Reconciler(db, steps, settings.timeouts.start, admission, replicas)
