"""The helper: a small program that forks servers, reaps them and keeps their records.

Why a program of its own: forking the hub is slow and unsafe (it is large, has threads, and gRPC
does not like it), and only the parent of a process learns its exit status. It is a child of the
hub in a session of its own, so that Ctrl-C in the hub's terminal does not reach it. They talk
over a socket, which is its standard input: one JSON value a line. Environments with secrets
travel there and nowhere else.

Neither end is needed for servers to live. When the hub dies, the socket ends and so does the
helper; servers go on, adopted by the system. When the helper dies, the hub starts another one.
Every request may be repeated: the truth is in `/proc` and the records.

    launch  start an object unless it exists           launched (event), with the answer: its record
    list    all objects, also unrecorded ones
    term    ask a main process and its group to end
    signal  count, and signal, all processes of some objects
    erase   forget an object                           exited (event): an object has ended
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from apphub.runtimes.process import cgroups, launching, logfiles, procfs, records, signals, words
from apphub.runtimes.process.launching import Launch, Order, Refused
from apphub.runtimes.process.records import Places, Record
from apphub.runtimes.process.signals import Leader

Message = dict[str, Any]
#: Launches done together: none of these programs begins before all of them are on record.
TOGETHER = 25
#: How often to look whether servers that are not our children still live (only to stop cutting their logs).
ADOPTED_EVERY = 30.0


class Child:
    """A process that this helper has started."""

    def __init__(self, record: Record, launch: Launch, requests: list[int]) -> None:
        self.record = record
        #: How to speak with it; None once it is known how the launch went.
        self.launch: Launch | None = launch
        #: Requests that wait for that.
        self.requests = requests
        self.erased = False


class Draft(NamedTuple):
    """A launch that nothing stands against."""

    order: Order
    #: Without the process, which is still to come.
    record: Record
    #: Descriptor of its log.
    log: int
    requests: list[int]


class Spawner:
    """The helper's state: children by pid, and the logs that are watched."""

    def __init__(self, hub: socket.socket, data_dir: str, hub_id: str, log_size: int) -> None:
        self._hub = hub
        self._places = Places(data_dir)
        self._hub_id = hub_id
        self._log_size = log_size
        self._boot = procfs.boot_id()
        self._groups = cgroups.Groups(hub_id)
        self._children: dict[int, Child] = {}
        self._by_ref: dict[str, Child] = {}
        #: Objects whose log is watched; the leader of those that are not our children.
        self._watched: dict[str, Leader | None] = {}
        self._adopted_look = 0.0
        self._pause = logfiles.CALM
        self._selector = selectors.DefaultSelector()
        #: Requests that nothing was done about yet; lines that the hub was not sent yet.
        self._asked: deque[Message] = deque()
        self._told: list[bytes] = []
        self._verbs: dict[str, Callable[..., Any]] = {
            "list": self._list,
            "term": self._term,
            "signal": self._signal,
            "erase": self._erase,
        }
        os.makedirs(self._places.run, mode=0o700, exist_ok=True)  # noqa: PTH103
        os.makedirs(f"{data_dir}/logs", mode=0o700, exist_ok=True)  # noqa: PTH103

    def run(self) -> None:
        """Serve until the hub is gone."""
        wake_read, wake_write = socket.socketpair()
        wake_read.setblocking(False)
        wake_write.setblocking(False)
        signal.set_wakeup_fd(wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._hub, selectors.EVENT_READ, "hub")
        self._selector.register(wake_read, selectors.EVENT_READ, "wake")
        self._send({"event": "ready"})
        self._flush()
        pending = b""
        look_at = time.monotonic()
        while True:
            wait = max(look_at - time.monotonic(), 0) if self._watched else None
            for key, _ in self._selector.select(0 if self._asked else wait):
                if key.data == "hub":
                    try:
                        part = self._hub.recv(1 << 20)
                    except ConnectionResetError:  # killed before it had read everything
                        return
                    if not part:
                        return
                    *lines, pending = (pending + part).split(b"\n")
                    self._asked.extend(map(json.loads, lines))
                elif key.data == "wake":
                    wake_read.recv(4096)
                    self._reap()
                elif key.data.launch is not None:  # not settled by reaping it a moment ago
                    self._settle(key.data)
            self._answer_some()
            if self._watched and time.monotonic() >= look_at:
                look_at = time.monotonic() + self._look_at_logs()
            self._flush()

    def _answer_some(self) -> None:
        """What was asked next: launches that came one right after the other are done together."""
        launches: list[tuple[int, Order]] = []
        while self._asked and self._asked[0]["do"] == "launch" and len(launches) < TOGETHER:
            request = self._asked.popleft()
            launches.append((request["id"], Order(**request["fields"])))
        if launches:
            self._launch(launches)
            return
        while self._asked and self._asked[0]["do"] != "launch":
            request = self._asked.popleft()
            with self._refusing([request["id"]]):
                self._send({"id": request["id"], "ok": self._verbs[request["do"]](**request["fields"])})

    @contextlib.contextmanager
    def _refusing(self, requests: list[int]) -> Iterator[None]:
        """What goes wrong is told to those who asked, and ends nothing else."""
        try:
            yield
        except Refused as error:
            refused = error
        except Exception as error:  # noqa: BLE001 - one request's fault must not end the others
            refused = Refused("busy", f"The helper failed: {words.fault(error)}.")
        else:
            return
        for request in requests:
            self._send({"id": request, "refused": refused.as_json()})

    def _launch(self, launches: list[tuple[int, Order]]) -> None:
        """Start what does not exist: all forks one right after the other, then all records."""
        drafts: dict[str, Draft] = {}
        forked: list[tuple[Draft, Launch]] = []
        with self._refusing([request for request, _ in launches]), records.turn(self._places):
            for request, order in launches:
                with self._refusing([request]):
                    self._draft(drafts, request, order)
            for draft in drafts.values():
                with self._refusing(draft.requests):
                    forked.append((draft, self._fork(draft)))
            for draft, launch in forked:
                with self._refusing(draft.requests):
                    self._begin(draft, launch)

    def _draft(self, drafts: dict[str, Draft], request: int, order: Order) -> None:
        ref = order.ref
        child = self._by_ref.get(ref)
        if ref in drafts:
            drafts[ref].requests.append(request)
        elif child is not None and child.launch is not None:
            child.requests.append(request)
        elif (existing := records.load(self._places, self._hub_id, ref)) is not None:
            self._send({"id": request, "ok": existing._asdict()})
        else:
            if order.port:
                launching.check_address(order.ip, order.port)
            order.env[procfs.MARKER] = procfs.marker(self._hub_id, *ref.split("-"))
            memory = self._groups.for_memory(ref, order.memory) if order.memory is not None else None
            cpu = self._groups.for_cpu(ref, order.cpus) if order.cpus is not None else None
            record = Record(
                self._hub_id,
                ref,
                self._boot,
                0,
                0,
                order.ip,
                order.port,
                notes=words.notes(order, memory, cpu),
                cgroup=memory,
                cpu_cgroup=cpu,
            )
            drafts[ref] = Draft(order, record, logfiles.create(self._places.log(ref)), [request])

    def _fork(self, draft: Draft) -> Launch:
        groups = [group for group in dict.fromkeys((draft.record.cgroup, draft.record.cpu_cgroup)) if group]
        try:
            return launching.fork(draft.order, draft.log, groups, lambda: self._recorded(draft.order.ref))
        finally:
            os.close(draft.log)

    def _begin(self, draft: Draft, launch: Launch) -> None:
        process = procfs.read(launch.pid)
        record = draft.record._replace(pid=launch.pid, start=process.start if process else 0)
        child = Child(record, launch, draft.requests)
        self._children[launch.pid] = self._by_ref[record.ref] = child
        self._selector.register(launch.line, selectors.EVENT_READ, child)
        self._watched[record.ref] = None
        try:
            records.begin(self._places, record)
        except OSError:
            child.erased = True
            child.requests = []
            os.kill(launch.pid, signal.SIGKILL)
            raise
        launch.go()

    def _recorded(self, ref: str) -> bool:
        """In a child: whether it is on record itself."""
        record = records.load(self._places, self._hub_id, ref)
        return record is not None and record.pid == os.getpid()

    def _settle(self, child: Child) -> None:
        """The child's line can be read: either the program runs now, or it never will."""
        assert child.launch is not None
        self._selector.unregister(child.launch.line)
        with child.launch.line:
            refused = child.launch.read_report()
        child.launch = None
        if refused is None and not child.erased:
            answer: Message = {"event": "launched", "ok": child.record._asdict()}
        else:
            self._erase(child.record.ref)
            answer = {"refused": refused.as_json() if refused else None}
        for request in child.requests:
            self._send({"id": request, **answer})

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.get(pid)
            if child is None:
                continue
            if child.launch is not None:
                self._settle(child)
            del self._children[pid]
            if self._by_ref.get(child.record.ref) is child:
                del self._by_ref[child.record.ref]
            if not child.erased:
                self._ended(child, os.waitstatus_to_exitcode(status))

    def _ended(self, child: Child, code: int) -> None:
        record = child.record._replace(
            ended=True, exit_code=code, ending=words.ending(code, child.record.cgroup)
        )
        self._watched.pop(record.ref, None)
        logfiles.cut(self._places.log(record.ref), self._log_size)
        try:
            records.end(self._places, record)
        except OSError:
            # A full disk: how it ended will be unknown, that it ended will not.
            sys.excepthook(*sys.exc_info())
        self._send({"event": "exited", "ref": record.ref})

    def _list(self) -> list[Message]:
        # Marks before records: what is started meanwhile (by another hub process) then has a record.
        marks = signals.marked(self._hub_id)
        found: list[Message] = []
        for ref, record in records.load_all(self._places, self._hub_id).items():
            ours = record.pid in self._children
            lives = not record.ended and (ours or self._lives(record))
            if lives and not ours:
                self._watched[ref] = Leader(record.pid, record.start)
            found.append({"record": record._asdict(), "alive": lives, "uid": None})
            marks.pop(ref, None)
        for ref, processes in marks.items():
            main = signals.main_of(processes)
            record = Record(self._hub_id, ref, self._boot, main.pid, main.start)
            self._watched[ref] = Leader(main.pid, main.start)
            found.append({"record": record._asdict(), "alive": True, "uid": procfs.owner_of(main.pid)})
        return found

    def _lives(self, record: Record) -> bool:
        return record.boot == self._boot and procfs.alive(record.pid, record.start)

    def _term(self, pid: int, start: int) -> bool:
        return signals.ask_to_end(Leader(pid, start))

    def _signal(self, of: dict[str, list[int] | None], number: int, spare: bool) -> dict[str, int]:
        leaders = {ref: Leader(*leader) if leader else self._leader(ref) for ref, leader in of.items()}
        return {
            ref: signals.send(processes, number, spare=leaders[ref] if spare else None)
            for ref, processes in signals.members(self._hub_id, leaders).items()
        }

    def _leader(self, ref: str) -> Leader | None:
        """The main process of an object, even if it has ended: its session may have members."""
        record = records.load(self._places, self._hub_id, ref)
        return Leader(record.pid, record.start) if record and record.boot == self._boot else None

    def _erase(self, ref: str) -> None:
        if (child := self._by_ref.get(ref)) is not None:
            child.erased = True
        with records.turn(self._places):
            record = records.load(self._places, self._hub_id, ref)
            records.remove(self._places, ref)
        if record is not None:
            for group in filter(None, {record.cgroup, record.cpu_cgroup}):
                cgroups.remove(group)
        self._watched.pop(ref, None)
        logfiles.cut(self._places.log(ref), self._log_size)

    def _look_at_logs(self) -> float:
        now = time.monotonic()
        if now >= self._adopted_look:
            self._adopted_look = now + ADOPTED_EVERY
            gone = [ref for ref, leader in self._watched.items() if leader and not procfs.alive(*leader)]
            for ref in gone:
                del self._watched[ref]
        logs = [self._places.log(ref) for ref in self._watched]
        self._pause = logfiles.look(logs, self._log_size, self._pause)
        return self._pause

    def _send(self, message: Message) -> None:
        self._told.append(json.dumps(message).encode() + b"\n")

    def _flush(self) -> None:
        if self._told:
            # When the hub is gone, the next read says so.
            with contextlib.suppress(OSError):
                self._hub.sendall(b"".join(self._told))
            self._told.clear()


def main() -> None:
    """Run the helper: arguments are the data folder, the hub's id and the bytes kept of each log."""
    data_dir, hub_id, log_size = sys.argv[1:]
    gc.freeze()
    # The socket moves away from descriptor 0, which servers replace by /dev/null.
    with socket.socket(fileno=os.dup(0)) as hub:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        Spawner(hub, data_dir, hub_id, int(log_size)).run()
