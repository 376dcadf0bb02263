"""The fork, and the child's way from there to the program.

Everything that may be slow or refused (looking up an account, entering a folder on a far file
system, finding the program) happens in the child, so that one launch never waits for another.
What goes wrong comes back through a socket that closes by itself when the program begins.

Used by the helper, so the standard library only. Forking from Python is safe here because the
helper has one thread, and cheap because it is small. Every page that the helper writes to after a
fork is copied: so forks come one right after the other where there are several.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import signal
import socket
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from apphub.errors import shown
from apphub.runtimes.process import cgroups

#: Signals whose handling a program should find as it is by default, whatever the hub was started with.
_RESET = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGPIPE,
    signal.SIGCHLD,
    signal.SIGXFSZ,
)


class Refused(Exception):
    """A launch that cannot be; `kind` is `failed`, `taken` or `busy` (try again)."""

    def __init__(self, kind: str, message: str, advice: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.advice = advice

    def as_json(self) -> dict[str, Any]:
        """What crosses the pipe and the socket."""
        return {"kind": self.kind, "message": self.message, "advice": self.advice}


class Order(NamedTuple):
    """What to start."""

    ref: str
    command: list[str]
    env: dict[str, str]
    ip: str
    port: int
    run_as: str | None
    cwd: str | None
    #: Made where it is missing.
    home: str | None
    #: Working folder made for the server when there is neither `cwd` nor a home.
    fallback: str
    memory: int | None
    cpus: float | None


def check_address(ip: str, port: int) -> None:
    """Raise `Refused` unless a server could listen there now."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of an earlier server that still linger do not count; a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Refused("taken", f"Somebody else listens at port {port} of {ip}.") from None
            reason = os.strerror(error.errno or 0)
            raise Refused("failed", f"A server cannot listen at port {port} of {ip}: {reason}.") from None


class Launch(NamedTuple):
    """A child that waits for `go`."""

    pid: int
    line: socket.socket

    def go(self) -> None:
        """It is on record: let it become the program."""
        # When it is dead already, its end says so.
        with contextlib.suppress(OSError):
            self.line.send(b"g")

    def read_report(self) -> Refused | None:
        """What the child had to say, once its line can be read; None when the program runs."""
        text = b""
        # Reset: it was killed before it could begin; its exit status tells.
        with contextlib.suppress(ConnectionResetError):
            while part := self.line.recv(4096):
                text += part
        return Refused(**json.loads(text)) if text else None


def fork(order: Order, log: int, groups: list[str], recorded: Callable[[], bool]) -> Launch:
    """Start the child, which waits until it is on record.

    Otherwise a helper that dies between the fork and the record would leave a process that
    nobody finds before its marker shows, which may be after somebody has looked. A child whose
    helper has died goes on if `recorded` says that it is on record, and ends if it is not.
    """
    ours, theirs = socket.socketpair()
    try:
        pid = os.fork()
    except OSError as error:
        ours.close()
        theirs.close()
        reason = os.strerror(error.errno or 0)
        raise Refused("busy", f"The machine cannot start another process now: {reason}.") from None
    if pid == 0:
        ours.close()
        _child(order, log, theirs, groups, recorded)
    theirs.close()
    return Launch(pid, ours)


def _child(
    order: Order, log: int, line: socket.socket, groups: list[str], recorded: Callable[[], bool]
) -> NoReturn:
    try:
        # First, so that nobody's end of a line is kept open here by whoever waits.
        _arrange_files(log, line.fileno())
        if not line.recv(1) and not recorded():
            os._exit(127)
        _become_program(order, groups)
    except Refused as error:
        refused = error
    except BaseException as error:  # noqa: BLE001 - nothing may escape into a second copy of the helper
        refused = Refused("failed", f"The server could not be started: {shown(error, 200)}.")
    try:
        line.sendall(json.dumps(refused.as_json()).encode())
    finally:
        os._exit(127)


def _become_program(order: Order, groups: list[str]) -> NoReturn:
    os.setsid()
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)
    for group in groups:
        cgroups.enter(group)
    env = dict(order.env)
    home = _become_account(order.run_as, env) if order.run_as is not None else None
    if order.home is not None:
        _make_home(order.home)
    _enter_folder(order, home or env.get("HOME"))
    _execute(order.command, env)


def _arrange_files(log: int, line: int) -> None:
    """No input, all output to the log, and no other file of the helper's."""
    signal.set_wakeup_fd(-1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.closerange(3, line)
    os.closerange(line + 1, os.sysconf("SC_OPEN_MAX"))


def _become_account(name: str, env: dict[str, str]) -> str:
    """Take on a system account for good; its home."""
    try:
        account = pwd.getpwnam(name)
    except (KeyError, ValueError):
        raise Refused(
            "failed",
            f"There is no system account {shown(name)} on this machine.",
            "Create it, or let servers run as the hub's own account (processes.run_as: same).",
        ) from None
    if account.pw_uid == 0:
        raise Refused("failed", "Servers never run as root.")
    if os.geteuid() == 0:
        # Owning its log, a program may open /dev/stdout again. The folder stays closed to it.
        os.fchown(1, account.pw_uid, account.pw_gid)
        os.setgroups(os.getgrouplist(name, account.pw_gid))
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    elif account.pw_uid != os.geteuid():
        raise Refused(
            "failed",
            f"The hub may not start a server as the system account {shown(name)}, for it does not run as root.",
            "Run the hub as root, or let servers run as its own account (processes.run_as: same).",
        )
    env.setdefault("HOME", account.pw_dir)
    env.setdefault("USER", name)
    env.setdefault("LOGNAME", name)
    env.setdefault("SHELL", account.pw_shell or "/bin/sh")
    return account.pw_dir


def _make_home(path: str) -> None:
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)  # noqa: PTH103
    except OSError as error:
        raise Refused("failed", f"The server's folder cannot be made: {error}.") from None


def _enter_folder(order: Order, home: str | None) -> None:
    folder = order.cwd or home
    if folder is None:
        folder = order.fallback
        os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103
    try:
        os.chdir(folder)
    except FileNotFoundError:
        raise Refused("failed", f"The working folder {shown(folder, 200)} does not exist.") from None
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise Refused(
            "failed", f"The working folder {shown(folder, 200)} cannot be entered: {reason}."
        ) from None


def _execute(command: list[str], env: dict[str, str]) -> NoReturn:
    program = shown(command[0], 200)
    try:
        os.execvpe(command[0], command, env)  # noqa: S606
    except (FileNotFoundError, NotADirectoryError):
        raise Refused(
            "failed",
            f"The program {program} was not found.",
            "Is it installed, and its folder on the PATH of the profile? "
            "If it is a script: does the interpreter of its first line exist?",
        ) from None
    except PermissionError:
        raise Refused("failed", f"The program {program} may not be executed.") from None
    except ValueError as error:
        raise Refused("failed", f"The program {program} cannot be called: {error}.") from None
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            message = f"The program {program} is neither a program of this machine nor a script that says #!."
        elif error.errno == errno.E2BIG:
            message = f"The arguments and environment of {program} are too long."
        else:
            message = f"The program {program} cannot be executed: {os.strerror(error.errno or 0)}."
        raise Refused("failed", message) from None
