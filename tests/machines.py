"""The services of deploy/compose.yaml as machines: network, process and host-name namespaces of their own.

    with Machines(config) as machines:
        machines["hub-1"].stop()

Each has its own loopback, its own processes and only the folders that the file mounts; they meet on a
bridge, at the names of their services. What runs there is the very command, with the very environment and
settings of the file. Instead of the image it is this tree, and instead of PostgreSQL's image the server of
the other tests. Needs root; the test is skipped in words without.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import pytest
import yaml

from apphub.kit.addresses import Address
from databases import admin, ask, named, server
from hubs import APPHUB, TOP, client_of, token_from, until
from networks import passed_on, wiretap

COMPOSE = TOP / "deploy" / "compose.yaml"
#: What the file wants to be told.
SECRET = "a-password-of-tests"
PUBLIC = 8000


def compose() -> dict[str, Any]:
    """The file, its variables filled in."""
    text = re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", SECRET, COMPOSE.read_text())
    assert "${" not in text
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)


class Machine:
    """One service of the file."""

    def __init__(self, machines: Machines, name: str, service: Mapping[str, Any], ip: str) -> None:
        self.name = name
        self.ip = ip
        self.address = Address(ip, PUBLIC)
        self.origin = f"http://{self.address}"
        self.url = f"{self.origin}/"
        self.service = service
        self.log_file = machines.folder / f"{name}.log"
        self._machines = machines
        self._holder: subprocess.Popen[bytes] | None = None
        self._init = 0
        self._process: subprocess.Popen[bytes] | None = None

    def boot(self) -> None:
        """Make the namespaces, the network and the mounts; nothing of ours runs yet."""
        mounts = [
            f"mount --bind {self._machines.file_of(self.name, 'hosts')} /etc/hosts",
            # The tree itself may be below a folder that is hidden here.
            "mount -t tmpfs tmpfs /srv",
        ]
        for volume in self.service["volumes"]:
            source, target, *mode = volume.split(":")
            here = self._machines.volume(source)
            if target.startswith("/etc/"):
                continue  # given by --config as it is on this machine
            mounts.append(f"mkdir -p {target}; mount --bind {here} {target}")
            if mode == ["ro"]:
                mounts.append(f"mount -o remount,bind,ro {target}")
        script = f"hostname {self.service['hostname']}; ip link set lo up; {'; '.join(mounts)}; exec sleep infinity"
        self._holder = subprocess.Popen(
            [
                *("unshare", "--net", "--pid", "--uts", "--mount", "--fork", "--kill-child", "--mount-proc"),
                *("sh", "-ec", script),
            ],
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        until(lambda: children.read_text().strip(), "the namespaces are there")
        self._init = int(children.read_text())
        until(lambda: Path(f"/proc/{self._init}/comm").read_text() == "sleep\n", "the machine is up")
        self._machines.plug_in(self._init, self.name, self.ip)

    def pull_out(self) -> None:
        """Cut its cable: what is sent there is lost without a word."""
        _run("ip", "link", "set", self._machines.plug(self.ip), "down")

    def put_back(self) -> None:
        """Mend the cable."""
        _run("ip", "link", "set", self._machines.plug(self.ip), "up")

    def shut_down(self) -> None:
        """As if its plug were pulled: everything there ends."""
        if self._holder is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init or self._holder.pid, signal.SIGKILL)
            self._holder.wait(10)
            self._holder = None
        if self._process is not None:
            self._process.wait(10)

    def command(self, *arguments: str, **environ: str) -> list[str]:
        """A command of apphub on this machine, in the environment of the file."""
        given = {**self.service.get("environment", {}), **environ}
        inside = [
            *("nsenter", "-t", str(self._init), "--net", "--pid", "--uts", "--mount", "--wd=/srv"),
            *("env", "-i", "PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LANG=C.UTF-8"),
            *(f"{name}={value}" for name, value in given.items()),
        ]
        return [*inside, str(APPHUB), *arguments]

    def listening(self) -> set[str]:
        """Where anything here takes TCP connections, but on loopback: addresses and ports, hexadecimal."""
        found = set()
        for file in ("tcp", "tcp6"):
            for line in Path(f"/proc/{self._init}/net/{file}").read_text().splitlines()[1:]:
                _, here, _, state, *_ = line.split()
                # The last byte comes first: 127.0.0.1, and ::1.
                if state == "0A" and not here.startswith(("0100007F:", "00000000000000000000000001000000:")):
                    found.add(here)
        return found

    def start(self) -> Self:
        """Run what the file says."""
        arguments = [
            self._machines.config_file if part == "/etc/apphub/apphub.yaml" else part
            for part in self.service["command"]
        ]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        """Of the hub or the edge, as seen from here."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return int(children.read_text().split()[0])

    def send(self, number: signal.Signals) -> None:
        """A signal, as `docker compose kill --signal` sends it."""
        os.kill(self.pid, number)

    def stop(self) -> int:
        """As an operator does who leaves the machine running: servers and the door go on."""
        assert self._process is not None
        self.send(signal.SIGTERM)
        return self._process.wait(30)

    def kill(self) -> None:
        """As a crash would end it."""
        assert self._process is not None
        self.send(signal.SIGKILL)
        self._process.wait(10)

    def healthy(self) -> bool:
        """What the health check of the file says."""
        assert self._process is not None
        assert self._process.poll() is None, f"{self.name} has ended:\n{self.logs[-3000:]}"
        kind, python, *arguments = self.service["healthcheck"]["test"]
        assert (kind, python) == ("CMD", "python")
        command = [*self.command()[:-1], str(APPHUB.with_name("python")), *arguments]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    @property
    def logs(self) -> str:
        """What it has written so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def client(self, token: str | None = None) -> httpx.Client:
        """A client of an edge, whose paths begin at the top."""
        return client_of(self.url, token)

    def ask(self, method: str, path: str, *, token: str | None = None, **more: Any) -> httpx.Response:
        """One request to the API through this edge."""
        with self.client(token or self._machines.token) as client:
            return client.request(method, f"hub/api/{path}", **more)


class Machines:
    """All of the file, on a network of their own."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        if os.geteuid() != 0:
            pytest.skip("Machines of their own (namespaces, a bridge) need root.")
        self._stack = contextlib.ExitStack()
        number = self._bridge()
        self.network = f"10.213.{number}"
        self.folder = Path(tempfile.mkdtemp(prefix="ma-"))
        self.config_file = str(self.folder / "apphub.yaml")
        settings = yaml.safe_load((TOP / "deploy" / "apphub.yaml").read_text())
        Path(self.config_file).write_text(yaml.safe_dump({**settings, **config}))
        services = dict(compose()["services"])
        self.postgres_ip = f"{self.network}.2"
        services.pop("postgres")
        self.machines = {
            name: Machine(self, name, service, f"{self.network}.{place}")
            for place, (name, service) in enumerate(services.items(), 10)
        }
        self.database = ""
        self._token: str | None = None

    def __getitem__(self, name: str) -> Machine:
        return self.machines[name]

    @property
    def hubs(self) -> list[Machine]:
        """Those with a hub."""
        return [one for one in self.machines.values() if one.service["command"][0] == "hub"]

    @property
    def edges(self) -> list[Machine]:
        """Those with an edge."""
        return [one for one in self.machines.values() if one.service["command"][0] == "proxy"]

    def file_of(self, name: str, file: str) -> Path:
        """A file of a machine: `hosts` has what Docker's name server would say."""
        path = self.folder / f"{name}-{file}"
        lines = ["127.0.0.1 localhost", f"{self.postgres_ip} postgres"]
        lines += [f"{one.ip} {one.name}" for one in self.machines.values()]
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def volume(self, name: str) -> Path:
        """A named volume."""
        path = self.folder / "volumes" / name
        if not name.startswith("."):
            assert name in compose()["volumes"], name
            path.mkdir(parents=True, exist_ok=True)
        return path

    def plug(self, ip: str) -> str:
        """The end of a machine's cable on this side."""
        return f"{self.bridge}.{ip.rpartition('.')[2]}"

    def plug_in(self, pid: int, name: str, ip: str) -> None:
        """Connect a machine to the bridge."""
        here = self.plug(ip)
        _run("ip", "link", "add", here, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        _run("ip", "link", "set", here, "addrgenmode", "none")
        _run("ip", "link", "set", here, "master", self.bridge, "up")
        inside = ("nsenter", "-t", str(pid), "--net", "ip")
        _run(*inside, "address", "add", f"{ip}/24", "dev", "eth0")
        _run(*inside, "link", "set", "eth0", "up")

    def __enter__(self) -> Self:
        try:
            self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            url, _ = self._stack.enter_context(server())
            name = f"machines_{secrets.token_hex(6)}"
            asyncio.run(admin(url, f"create database {name}"))
            self.database = named(url, name)
            self._bridge_up()
            self._postgres_at_its_name(url, name)
            for machine in self.machines.values():
                self._stack.callback(machine.shut_down)
                machine.boot()
            for machine in self.hubs:
                machine.start()
            for machine in self.hubs:
                until(machine.healthy, f"{machine.name} is healthy")
            for machine in self.edges:
                machine.start()
            for machine in self.edges:
                until(machine.healthy, f"{machine.name} is healthy")
            return self
        except BaseException as error:
            self._tell(error)
            self._stack.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._tell(error)
        self._stack.close()

    def _tell(self, error: BaseException) -> None:
        for machine in self.machines.values():
            error.add_note(f"--- what {machine.name} wrote ---\n{machine.logs[-4000:]}")

    def _bridge(self) -> int:
        """Make one; the number that it has, and that no other has."""
        for number in random.sample(range(1, 251), 20):
            self.bridge = f"apphub{number}"
            command = ["ip", "link", "add", self.bridge, "type", "bridge"]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if not made.returncode:
                self._stack.callback(_run, "ip", "link", "delete", self.bridge)
                return number
        pytest.skip(f"A bridge cannot be made here: {made.stderr.strip()}")

    def _bridge_up(self) -> None:
        """Have two addresses there by routes alone.

        Were they the interface's, as IPv6 would also give it one, all browsers of other tests here would notice
        a change, and two seconds later give up each connection that is just being made.
        """
        here = f"{self.network}.1"
        _run("ip", "link", "set", self.bridge, "addrgenmode", "none")
        _run("ip", "link", "set", self.bridge, "up")
        for ip in (here, self.postgres_ip):
            _run("ip", "route", "add", "local", ip, "dev", self.bridge)
        _run("ip", "route", "add", f"{self.network}.0/24", "dev", self.bridge, "src", here)

    def _postgres_at_its_name(self, url: str, name: str) -> None:
        """The user and database of the file, and a way to the server's socket from the network."""
        statements = [f"alter database {name} rename to apphub", "create role apphub superuser login"]
        asyncio.run(admin(url, *statements))
        self.database = named(url, "apphub")
        folder = re.search(r"host=([^&]+)", url)
        assert folder, url
        path = f"{folder[1].replace('%2F', '/')}/.s.PGSQL.5432"
        self._stack.enter_context(passed_on(Address(self.postgres_ip, 5432), path))

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

    def rows(self, statement: str) -> list[Any]:
        """What the database says."""
        return asyncio.run(ask(self.database, statement))

    def wiretap(self) -> contextlib.AbstractContextManager[Callable[[], bytes]]:
        """What machines with hubs say to others meanwhile, but for this side of the bridge (people, PostgreSQL)."""
        ours = (f"{self.network}.1", self.postgres_ip)
        return wiretap([self.plug(machine.ip) for machine in self.hubs], but=ours)
