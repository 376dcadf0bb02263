"""Real hubs for tests: started as people start them, asked over their public port, always stopped.

    with RunningHub({**TRIAL, "groups": {"analysts": {}}}) as hub:
        hub.ask("POST", "users/ada")
        with hub.sign_in("ada") as browser:
            browser.get("hub/home")

A hub has a folder and a port of its own, so several can run at once. Leaving the block ends
everything that came of it: the hub, its edge, and the servers of its users and its services,
which outlive a hub by design. What it wrote is shown with a test that fails (see conftest.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import yaml

from apphub.kit.addresses import Address
from apphub.kit.secrets import Keys
from apphub.proxy.envoy import identity
from apphub.runtimes.process import procfs

T = TypeVar("T")

TOP = Path(__file__).resolve().parent.parent
APPHUB = Path(sys.executable).with_name("apphub")

#: Everybody signs in with one password: what tests with several people use.
PASSWORD = "a password for tests"
TRIAL: dict[str, Any] = {
    "login": {
        "password": {"enabled": False},
        "shared_password": {"password": PASSWORD},
        "admins": ["admin"],
    }
}

#: Hubs with a process, for the report of a test that fails.
running: weakref.WeakSet[RunningHub] = weakref.WeakSet()

_PATIENCE = 60.0
#: Making an environment for the first time downloads it (seconds).
_DOWNLOAD = 1200
_GREETING = "Sign in as admin with the password "


def _worker() -> int:
    """The number of this test process among those that run beside it."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10


#: Of this test process alone, and below those that the system gives to whoever asks for any (32768 and up): a port
#: of those may be somebody else's before the hub that it was found for has begun.
_ports = itertools.cycle(range(30_000 + 250 * _worker(), 30_250 + 250 * _worker()))


def free_port(ip: str = "127.0.0.1") -> int:
    """A TCP port that nobody has just now."""
    for port in itertools.islice(_ports, 250):
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as probe:
            try:
                probe.bind((ip, port))
            except OSError:
                continue
        return port
    raise AssertionError("All ports for hubs under test are taken.")


class NotMade(Exception):
    """An environment could not be made."""


def make(*command: str) -> None:
    """Make an environment below `envs`; one test process at a time, so that others find it made.

    Raises `NotMade` with the end of what the command wrote.
    """
    (TOP / "envs").mkdir(exist_ok=True)
    with (TOP / "envs" / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = subprocess.run(
            command, cwd=TOP, capture_output=True, text=True, timeout=_DOWNLOAD, check=False
        )
    if done.returncode:
        raise NotMade((done.stderr or done.stdout).strip()[-500:])


def ports_of_worker() -> list[int]:
    """The first and last port for servers that no hub of another test process gives away."""
    first = 20000 + _worker() * 1000
    return [first, first + 999]


def until(look: Callable[[], T | None], what: str, within: float = _PATIENCE) -> T:
    """The first true answer of `look`; fails naming `what` when none comes in time."""
    end = time.monotonic() + within
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not within {within:.0f} s"
        time.sleep(0.05)
    return found


def client_of(
    url: str, token: str | None = None, transport: httpx.BaseTransport | None = None
) -> httpx.Client:
    """A client whose paths begin at this address; anybody's, or with a token.

    It asks no certificate (those of tests are their own, and to load whom to trust would take longer
    than most requests) and no proxy of the environment (those are not for loopback).
    """
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(
        base_url=url, headers=headers, transport=transport, verify=False, timeout=60, trust_env=False
    )


def token_from(client: httpx.Client, name: str, password: str = PASSWORD) -> str:
    """A token in exchange for a name and password; the client's paths begin below the base URL."""
    answer = client.post("hub/api/authorizations/token", json={"username": name, "password": password})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["token"])


class RunningHub:
    """A hub in a process of its own. `config` are its settings; without any, it has the defaults.

    `command` starts it some other way, at the top of the tree; in it and in `environment`
    {bind}, {port}, {folder} and {data} are filled in.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | None = None,
        *,
        ip: str = "127.0.0.1",
        command: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.config = dict(config or {})
        self.folder = Path(tempfile.mkdtemp(prefix="hub-"))  # short: sockets are in it
        self.data_dir = self.folder / "data"
        self.log_file = self.folder / "hub.log"
        self.address = Address(ip, free_port(ip))
        scheme = "https" if "tls" in self.config else "http"
        self.origin = f"{scheme}://{self.address}"
        self.base_url: str = self.config.get("base_url", "/")
        self.url = f"{self.origin}{self.base_url}"
        self.admin = next(iter(self.config.get("login", {}).get("admins", ())), "admin")
        self._command = command
        self._environment = environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._token: str | None = None

    def start(self) -> Self:
        """Start it and wait until it answers through its edge."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv(),
                cwd=self.folder if self._command is None else TOP,
                env={
                    **os.environ,
                    "APPHUB_PROCESSES__PORTS": ",".join(map(str, ports_of_worker())),
                    **self._filled_environment(),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        running.add(self)
        until(self._answers, f"the hub at {self.url} answers")
        return self

    def stop(self, within: float = 30) -> int:
        """End it as an operator does, with its edge; its exit status. Servers of users go on."""
        return self._signal(signal.SIGTERM, within)

    def wait(self, within: float = 30) -> int:
        """Wait until it has ended by itself; its exit status."""
        assert self._process is not None
        return self._process.wait(within)

    def kill(self) -> None:
        """Kill the hub as a crash would: its edge and all servers go on."""
        self._signal(signal.SIGKILL, 10)

    def restart(self) -> Self:
        """Stop it in order, then start it again on the same data."""
        self.stop()
        return self.start()

    @property
    def pid(self) -> int:
        """The hub's process."""
        if self._command is not None:
            return int((self.data_dir / "hub-1.lock").read_text())
        assert self._process is not None
        return self._process.pid

    @property
    def edge_pid(self) -> int | None:
        """The process of its Envoy."""
        found = identity.load(self.data_dir / "run" / "edge-1" / "envoy.pid")
        return found.pid if found is not None else None

    def server_pids(self) -> dict[int, str]:
        """Every process of users' servers, main ones and their children, with `server id:attempt`."""
        return self._marked(":")

    def service_pids(self) -> dict[int, str]:
        """Every process of services that the hub runs, with `service id:fingerprint`."""
        return self._marked("-services:")

    def _marked(self, kind: str) -> dict[int, str]:
        if not (self.data_dir / "secret.key").exists():
            return {}
        mark = f"{Keys.load(self.data_dir / 'secret.key').derive('hub-id')[:12]}{kind}"
        marked = ((process.pid, procfs.marker_of(process.pid) or "") for process in procfs.scan())
        return {pid: found.removeprefix(mark) for pid, found in marked if found.startswith(mark)}

    @property
    def logs(self) -> str:
        """What the hub has written so far, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def password(self) -> str:
        """The administrator's: of the settings, or as told at the first start."""
        shared = self.config.get("login", {}).get("shared_password")
        if shared:
            return str(shared["password"])
        line = until(lambda: [one for one in self.logs.splitlines() if _GREETING in one], "the password")[0]
        return line.partition(_GREETING)[2].strip()

    @property
    def token(self) -> str:
        """A token of the administrator."""
        if self._token is None:
            self._token = self.token_for(self.admin, self.password)
        return self._token

    def token_for(self, name: str, password: str = PASSWORD) -> str:
        """A token in exchange for a name and password."""
        with self.client() as client:
            return token_from(client, name, password)

    def client(self, token: str | None = None) -> httpx.Client:
        """A client whose paths begin below the base URL: `client.get("hub/home")`."""
        return client_of(self.url, token)

    def ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx.Response:
        """One request to the API (`users/ada`), as the administrator unless with another token."""
        with self.client(token or self.token) as client:
            return client.request(method, f"hub/api/{path}", **more)

    @contextlib.contextmanager
    def sign_in(self, name: str, password: str = PASSWORD) -> Iterator[httpx.Client]:
        """A browser that has signed in: it holds the cookies, and follows no redirect."""
        with self.client() as browser:
            browser.get("hub/login")
            answer = self.post_form(browser, "hub/login", username=name, password=password)
            assert answer.status_code == 302, answer.text
            yield browser

    def post_form(self, browser: httpx.Client, path: str, **fields: str) -> httpx.Response:
        """Send a form as one of the hub's own pages does."""
        return browser.post(path, data={**fields, "_xsrf": browser.cookies["_xsrf"]})

    def server(self, user: str, name: str = "") -> dict[str, Any]:
        """A server as the API shows it to the administrator."""
        answer = self.ask("GET", f"users/{user}?include_stopped_servers=1")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["servers"].get(name, {})
        return found

    def ready(self, user: str, name: str = "", within: float = _PATIENCE) -> dict[str, Any]:
        """Wait until the server is ready; the server."""

        def look() -> dict[str, Any] | None:
            server = self.server(user, name)
            return server if server.get("ready") else None

        return until(look, f"the server {user}/{name} is ready", within)

    def close(self) -> None:
        """End everything that came of it."""
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.stop()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)
        edge = self.edge_pid  # of a hub that was killed
        for pid in (*self.server_pids(), *self.service_pids(), *((edge,) if edge is not None else ())):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        running.discard(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException as error:
            error.add_note(f"--- what the hub wrote ---\n{self.logs[-6000:]}")
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"--- what the hub at {self.url} wrote ---\n{self.logs[-6000:]}")
        self.close()

    def _argv(self) -> list[str]:
        if self._command is not None:
            return [self._filled(part) for part in self._command]
        argv = [str(APPHUB), "serve", "--data-dir", str(self.data_dir), "--bind", str(self.address)]
        if self.config:
            file = self.folder / "apphub.yaml"
            file.write_text(yaml.safe_dump(self.config))
            argv += ["--config", str(file)]
        return argv

    def _filled_environment(self) -> dict[str, str]:
        return {name: self._filled(text) for name, text in self._environment.items()}

    def _filled(self, text: str) -> str:
        return text.format(bind=self.address, port=self.address.port, folder=self.folder, data=self.data_dir)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"the hub has ended with status {self._process.returncode}"
        try:
            with self.client() as client:
                return client.get("hub/health").status_code == 200
        except httpx.TransportError:
            return False

    def _signal(self, number: int, within: float) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
        status = self._process.wait(within)
        running.discard(self)
        return status
