"""Several hubs and several edges on one PostgreSQL, in one data folder, as an operator runs them.

    with Cluster(hubs=3, edges=2) as cluster:
        cluster.edges[0].ask("POST", "users/ada")
        cluster.hubs[1].kill()

Leaving the block ends all of it, and the servers of its users.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import yaml

from apphub.kit.addresses import Address
from apphub.kit.secrets import Keys
from apphub.proxy.envoy import identity
from apphub.proxy.envoy.meeting import Meeting
from apphub.runtimes.process import procfs
from databases import admin, ask, named, new_name, server
from hubs import APPHUB, TRIAL, client_of, free_port, ports_of_worker, token_from, until


class Part:
    """One process of the cluster: `apphub hub` or `apphub proxy`."""

    def __init__(self, cluster: Cluster, name: str, *arguments: str) -> None:
        self.name = name
        self.log_file = cluster.folder / f"{name}.log"
        self._cluster = cluster
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; whoever needs it waits for it."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(str(APPHUB), *self._arguments),
                    *("--data-dir", str(self._cluster.data_dir)),
                    *("--config", str(self._cluster.config_file)),
                ],
                cwd=self._cluster.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """As a crash would."""
        self._end(signal.SIGKILL)

    def stop(self, within: float = 30) -> int:
        """As an operator does; its exit status."""
        return self._end(signal.SIGTERM, within)

    def _end(self, number: int, within: float = 30) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)
        return self._process.wait(within)

    @property
    def logs(self) -> str:
        """What it has written so far, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""


class HubPart(Part):
    """A replica. It can be asked by itself, on the socket that edges use."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        super().__init__(cluster, f"hub-{number}", "hub")

    @property
    def number(self) -> int:
        """What it holds in the data folder; perhaps another one after another start."""
        for lock in self._cluster.data_dir.glob("hub-*.lock"):
            if lock.read_text().partition(" ")[0].strip() == str(self.pid):
                return int(lock.stem.removeprefix("hub-"))
        return 0

    def _client(self, token: str | None = None) -> httpx.Client:
        socket = self._cluster.meeting.hub(self.number)
        transport = httpx.HTTPTransport(uds=str(socket), verify=False)
        return client_of("http://hub", token, transport)

    def ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx.Response:
        """One request to the API of this replica."""
        with self._client(token or self._cluster.token) as client:
            return client.request(method, f"/hub/api/{path}", **more)

    def answers(self) -> bool:
        """Whether it serves."""
        assert self.alive, f"{self.name} has ended:\n{self.logs[-3000:]}"
        if self.number not in self._cluster.meeting.listening():
            return False
        with self._client() as client:
            return client.get("/hub/health").status_code == 200


class EdgePart(Part):
    """An edge, at an address of its own."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.address = Address("127.0.0.1", free_port())
        self.origin = f"http://{self.address}"
        self.url = f"{self.origin}/"
        super().__init__(cluster, f"edge-{number}", "proxy", "--bind", str(self.address))

    def client(self, token: str | None = None) -> httpx.Client:
        """A client whose paths begin at the top."""
        return client_of(self.url, token)

    def ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx.Response:
        """One request to the API through this edge."""
        with self.client(token or self._cluster.token) as client:
            return client.request(method, f"hub/api/{path}", **more)

    def answers(self) -> bool:
        """Whether a hub answers through it."""
        assert self.alive, f"{self.name} has ended:\n{self.logs[-3000:]}"
        try:
            with self.client() as client:
                return client.get("hub/health").status_code == 200
        except httpx.TransportError:
            return False


class Cluster:
    """All of it."""

    def __init__(self, hubs: int = 2, edges: int = 2, config: Mapping[str, Any] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cl-"))  # short: sockets are in it
        self.data_dir = self.folder / "data"
        self.config_file = self.folder / "apphub.yaml"
        self.meeting = Meeting(self.data_dir / "run")
        self.hubs = [HubPart(self, number) for number in range(hubs)]
        self.edges = [EdgePart(self, number) for number in range(edges)]
        self.database = ""
        self._config = {**TRIAL, "processes": {"ports": ports_of_worker()}, **(config or {})}
        self._token: str | None = None
        self._stack = contextlib.ExitStack()
        self._server: Any = None

    def __enter__(self) -> Self:
        try:
            url, self._server = self._stack.enter_context(server())
            name = new_name()
            asyncio.run(admin(url, f"create database {name}"))
            self.database = named(url, name)
            self.config_file.write_text(yaml.safe_dump({**self._config, "database": self.database}))
            for part in (*self.hubs, *self.edges):
                part.start()
            for part in (*self.hubs, *self.edges):
                until(part.answers, f"{part.name} answers")
            return self
        except BaseException as error:
            self._tell(error)
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._tell(error)
        self.close()

    def _tell(self, error: BaseException) -> None:
        for part in (*self.hubs, *self.edges):
            error.add_note(f"--- what {part.name} wrote ---\n{part.logs[-4000:]}")

    def close(self) -> None:
        """End everything."""
        for part in (*self.edges, *self.hubs):
            with contextlib.suppress(subprocess.TimeoutExpired):
                part.stop()
            part.kill()
        for record in self.data_dir.glob("run/edge-*/envoy.pid"):
            if (found := identity.load(record)) is not None:
                os.kill(found.pid, signal.SIGKILL)
        for pid in self.server_pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def token(self) -> str:
        """A token of the administrator."""
        if self._token is None:
            self._token = self.token_for("admin")
        return self._token

    def token_for(self, name: str) -> str:
        """A token in exchange for a name and password."""
        with self.edges[0].client() as client:
            return token_from(client, name)

    def server_pids(self) -> dict[int, str]:
        """Every process of users' servers, with `server id:attempt`."""
        key = self.data_dir / "secret.key"
        if not key.exists():
            return {}
        mark = f"{Keys.load(key).derive('hub-id')[:12]}:"
        marked = ((process.pid, procfs.marker_of(process.pid) or "") for process in procfs.scan())
        return {pid: found.removeprefix(mark) for pid, found in marked if found.startswith(mark)}

    def objects(self) -> Counter[str]:
        """How many main processes each object has: those that lead a session."""
        mine = self.server_pids()
        return Counter(mine[one.pid] for one in procfs.scan() if one.pid in mine and one.pid == one.session)

    def rows(self, statement: str) -> list[Any]:
        """What the database says."""
        return asyncio.run(ask(self.database, statement))

    @property
    def postmaster(self) -> int:
        """The process of the database that has all its others."""
        assert self._server is not None
        return int((Path(self._server.pgdata) / "postmaster.pid").read_text().split()[0])

    def crash_database(self) -> None:
        """PostgreSQL ends at once and writes nothing more, as a crash of its machine would have it."""
        pid = self.postmaster
        os.kill(pid, signal.SIGQUIT)  # its "immediate shutdown"
        until(lambda: not Path(f"/proc/{pid}").exists(), "PostgreSQL has ended")

    def start_database(self) -> None:
        """It is there again, with what it had acknowledged."""
        assert self._server is not None
        self._server.ensure_postgres_running()
