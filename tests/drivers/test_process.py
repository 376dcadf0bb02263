"""The process runtime: launching, ending and output, with real processes."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import uvloop
from runtime_specs import (
    HUB,
    LOG_SIZE,
    delete_all,
    free_port,
    pids,
    python,
    running,
    spec,
    until,
    until_ended,
)

from apphub.errors import Unavailable
from apphub.kit.addresses import Address
from apphub.runtimes.base import AddressTaken, LaunchFailed, Life, Ref
from apphub.runtimes.process import procfs
from apphub.runtimes.process.driver import ProcessRuntime

pytestmark = pytest.mark.timeout(120)
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another account")
SECRET = "s3cret-of-the-server"


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    async with running(tmp_path) as runtime:
        yield runtime
    await delete_all(tmp_path)


@pytest.fixture
def account() -> Iterator[pwd.struct_passwd]:
    """A throw-away system account with a home."""
    name = f"apphub-test-{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True, timeout=30)
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", "--remove", name], check=True, timeout=30, capture_output=True)


async def output(runtime: ProcessRuntime, ref: Ref) -> str:
    """Its output, once it has ended."""
    await until_ended(runtime, ref)
    return await runtime.logs(ref, tail=10_000)


# -- launching


async def test_a_server_gets_its_environment_a_session_of_its_own_and_no_input(
    runtime: ProcessRuntime,
) -> None:
    wanted = python(
        "import os, sys\n"
        "print(os.environ['TOKEN'], os.environ['APPHUB_OBJECT'])\n"
        "print(os.getsid(0) == os.getpgid(0) == os.getpid(), repr(sys.stdin.read()))\n"
        "print(sorted(int(fd) for fd in os.listdir('/proc/self/fd'))[:4])",
        env={"TOKEN": SECRET},
    )
    await runtime.create(wanted)
    lines = (await output(runtime, wanted.ref)).splitlines()
    assert lines[0] == f"{SECRET} {HUB}:{wanted.ref.server_id}:{wanted.ref.attempt}"
    assert lines[1] == "True ''"
    assert lines[2] == "[0, 1, 2, 3]"  # the fourth is the folder being listed


async def test_a_server_handles_signals_as_by_default(runtime: ProcessRuntime) -> None:
    wanted = spec("grep", "-E", "Sig(Ign|Blk)", "/proc/self/status")
    await runtime.create(wanted)
    masks = [line.split()[1] for line in (await output(runtime, wanted.ref)).splitlines()]
    # From 32 on they are the C library's own and its threads', which nobody sets by hand.
    assert {int(mask, 16) & 0x7FFFFFFF for mask in masks} == {0}


async def test_no_secret_is_in_any_argv_or_record(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec(env={"PATH": os.defpath, "TOKEN": SECRET})
    await runtime.create(wanted)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            assert SECRET.encode() not in (process / "cmdline").read_bytes()
        except OSError:
            continue
    assert SECRET not in (tmp_path / "run" / f"{wanted.ref}.json").read_text()
    assert SECRET not in repr(wanted)


async def test_records_and_logs_are_for_the_hub_alone(runtime: ProcessRuntime, tmp_path: Path) -> None:
    wanted = spec()
    await runtime.create(wanted)
    log = tmp_path / "logs" / str(wanted.ref.server_id) / "1.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "run" / f"{wanted.ref}.json").stat().st_mode) == 0o600
    for folder in (tmp_path / "run", tmp_path / "logs", log.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_program_that_is_missing_is_named(runtime: ProcessRuntime) -> None:
    wanted = spec("no-such-program")
    with pytest.raises(LaunchFailed, match="'no-such-program' was not found") as caught:
        await runtime.create(wanted)
    assert caught.value.advice
    assert (await runtime.observe(wanted.ref)).life is Life.ABSENT
    assert await runtime.list() == {}


async def test_a_file_that_is_no_program_is_refused_in_words(runtime: ProcessRuntime, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("hello")
    with pytest.raises(LaunchFailed, match="may not be executed"):
        await runtime.create(spec(str(file)))
    file.chmod(0o755)
    with pytest.raises(LaunchFailed, match="neither a program"):
        await runtime.create(spec(str(file)))


async def test_a_command_that_cannot_be_passed_on_is_refused_in_words(runtime: ProcessRuntime) -> None:
    with pytest.raises(LaunchFailed, match="null byte"):
        await runtime.create(spec("sleep", "1\0"))
    with pytest.raises(LaunchFailed, match="too long"):
        await runtime.create(spec("sleep", "1", env={"PATH": os.defpath, "BIG": "x" * 200_000}))


async def test_a_missing_working_folder_is_named(runtime: ProcessRuntime) -> None:
    with pytest.raises(LaunchFailed, match=r"'/no/such/folder' does not exist"):
        await runtime.create(spec(cwd="/no/such/folder"))


async def test_the_working_folder_is_the_one_asked_for_or_home_or_one_of_its_own(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    asked, home, own = tmp_path / "asked", tmp_path / "home", spec("pwd")
    asked.mkdir()
    home.mkdir()
    env = {"PATH": os.defpath, "HOME": str(home)}
    for wanted, folder in (
        (spec("pwd", env=env, cwd=str(asked)), asked),
        (spec("pwd", env=env), home),
        (own, tmp_path / "servers" / str(own.ref.server_id)),
    ):
        await runtime.create(wanted)
        assert await output(runtime, wanted.ref) == f"{folder}\n"


async def test_a_home_is_made_for_the_server_alone_or_told_why_not(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    home = tmp_path / "homes" / "ada"
    wanted = spec("pwd", home=str(home), cwd=str(home))
    await runtime.create(wanted)
    assert await output(runtime, wanted.ref) == f"{home}\n"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    (tmp_path / "file").touch()
    with pytest.raises(LaunchFailed, match=r"folder cannot be made: .*Not a directory"):
        await runtime.create(spec(home=str(tmp_path / "file" / "ada")))


@pytest.mark.parametrize("ip", ["127.0.0.1", "::1"])
async def test_a_taken_port_is_told_apart_from_other_failures(runtime: ProcessRuntime, ip: str) -> None:
    with socket.create_server((ip, 0), family=socket.AF_INET6 if ":" in ip else socket.AF_INET) as other:
        wanted = spec(address=Address(ip, other.getsockname()[1]))
        with pytest.raises(AddressTaken):
            await runtime.create(wanted)
    assert (await runtime.create(wanted)).life is Life.RUNNING


async def test_an_address_of_another_machine_is_refused(runtime: ProcessRuntime) -> None:
    with pytest.raises(LaunchFailed, match="cannot listen"):
        await runtime.create(spec(address=Address("192.0.2.1", free_port())))


async def test_a_hundred_servers_start_in_moments(runtime: ProcessRuntime) -> None:
    await runtime.list()
    helper = runtime.helper_pid
    specs = [spec("true") for _ in range(100)]
    began = time.perf_counter()
    await asyncio.gather(*(runtime.create(wanted) for wanted in specs))
    took = time.perf_counter() - began
    print(f"100 launches: {took * 1000:.0f} ms")
    assert took < 6  # an idle machine needs a twentieth of that
    ended = await asyncio.gather(*(until_ended(runtime, wanted.ref) for wanted in specs))
    assert {sight.exit_code for sight in ended} == {0}
    assert runtime.helper_pid == helper


# -- accounts


@as_root
async def test_a_server_runs_as_the_system_account_and_nothing_more(
    runtime: ProcessRuntime, account: pwd.struct_passwd
) -> None:
    wanted = spec("sh", "-c", "id -u; id -G; pwd; echo $HOME $USER $LOGNAME $SHELL", run_as=account.pw_name)
    await runtime.create(wanted)
    assert (await output(runtime, wanted.ref)).splitlines() == [
        str(account.pw_uid),
        str(account.pw_gid),
        account.pw_dir,
        f"{account.pw_dir} {account.pw_name} {account.pw_name} /bin/sh",
    ]


@as_root
async def test_a_server_of_another_account_may_open_its_output_again(
    runtime: ProcessRuntime, account: pwd.struct_passwd
) -> None:
    wanted = spec("sh", "-c", "echo again > /dev/stdout", run_as=account.pw_name)
    await runtime.create(wanted)
    assert await output(runtime, wanted.ref) == "again\n"


@as_root
async def test_unknown_accounts_and_root_are_refused_in_words(runtime: ProcessRuntime) -> None:
    with pytest.raises(LaunchFailed, match="no system account 'no-such-account'"):
        await runtime.create(spec(run_as="no-such-account"))
    with pytest.raises(LaunchFailed, match="never run as root"):
        await runtime.create(spec(run_as="root"))


@as_root
async def test_a_marker_in_a_strangers_environment_does_not_stand_in_for_a_server(
    runtime: ProcessRuntime, account: pwd.struct_passwd
) -> None:
    wanted = spec()
    env = {"APPHUB_OBJECT": f"{HUB}:{wanted.ref.server_id}:1"}
    with subprocess.Popen(["/bin/sleep", "600"], env=env, user=account.pw_uid) as stranger:
        assert (await runtime.list())[wanted.ref].life is Life.RUNNING
        await runtime.create(wanted)
        assert pids(wanted.ref) > {stranger.pid}
        await runtime.delete(wanted.ref, grace=5)
        assert stranger.wait(10) == -signal.SIGTERM


# -- ending


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("exit 0", 0, "status 0"),
        ("exit 7", 7, "status 7"),
        ("kill -TERM $$", -15, "signal 15 (SIGTERM)"),
    ],
)
async def test_how_a_server_ended_is_told(
    runtime: ProcessRuntime, command: str, code: int, words: str
) -> None:
    told: list[Ref] = []
    runtime.on_exit(told.append)
    wanted = spec("sh", "-c", command)
    await runtime.create(wanted)
    ended = await until_ended(runtime, wanted.ref)
    assert ended.exit_code == code
    assert words in ended.detail
    assert told == [wanted.ref]
    assert await runtime.create(wanted) == ended  # it exists until it is deleted


async def test_it_is_asked_to_end_and_has_its_time(runtime: ProcessRuntime) -> None:
    wanted = spec("sh", "-c", "trap 'sleep 0.3; echo bye; exit' TERM; echo on; while :; do sleep 0.05; done")
    await runtime.create(wanted)
    await until(lambda: runtime.logs(wanted.ref, tail=10))
    assert (await runtime.delete(wanted.ref, grace=10)).life is Life.ABSENT
    assert (await runtime.logs(wanted.ref, tail=100)).endswith("bye\n")


async def test_a_family_that_will_not_end_is_ended_wherever_it_went(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    # One child ignores SIGTERM in the group, one leaves the session, one also wipes its environment.
    family = (
        "trap '' TERM; sleep 600 & setsid sleep 600 & env -i /bin/sleep 600 & echo on; "
        "while :; do sleep 0.1; done"
    )
    wanted = spec("sh", "-c", family)
    await runtime.create(wanted)
    await until(lambda: runtime.logs(wanted.ref, tail=10))
    session = json.loads((tmp_path / "run" / f"{wanted.ref}.json").read_text())["pid"]
    began = time.monotonic()
    other = spec()
    deleted, _ = await asyncio.gather(runtime.delete(wanted.ref, grace=0.5), runtime.create(other))
    assert deleted.life is Life.ABSENT
    assert 0.5 <= time.monotonic() - began < 10
    assert pids(wanted.ref) == set()
    assert [process for process in procfs.scan() if process.session == session] == []
    assert (await runtime.observe(other.ref)).life is Life.RUNNING


async def test_what_outlives_the_main_process_is_ended_by_delete(runtime: ProcessRuntime) -> None:
    wanted = spec("sh", "-c", "sleep 600 & setsid sleep 600 & exit 3")
    await runtime.create(wanted)
    assert (await until_ended(runtime, wanted.ref)).exit_code == 3
    assert len(pids(wanted.ref)) == 2
    assert (await runtime.delete(wanted.ref, grace=5)).life is Life.ABSENT
    assert pids(wanted.ref) == set()


async def test_deleting_many_at_once_is_fast(runtime: ProcessRuntime) -> None:
    specs = [spec() for _ in range(50)]
    await asyncio.gather(*(runtime.create(wanted) for wanted in specs))
    began = time.perf_counter()
    await asyncio.gather(*(runtime.delete(wanted.ref, grace=10) for wanted in specs))
    took = time.perf_counter() - began
    print(f"50 deletes: {took * 1000:.0f} ms")
    assert took < 5
    assert await runtime.list() == {}


# -- output


async def test_a_flood_of_output_keeps_its_tail_and_stays_within_bounds(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    wanted = spec("sh", "-c", "yes flood | head -c 300M; echo the end; sleep 600")
    await runtime.create(wanted)
    log = tmp_path / "logs" / str(wanted.ref.server_id) / "1.log"

    async def settled() -> bool:
        tail = await runtime.logs(wanted.ref, tail=100)
        return tail.endswith("the end\n") and log.stat().st_size <= LOG_SIZE

    await until(settled, within=60)
    assert log.read_bytes().startswith(b"[earlier output was dropped]\nflood\n")
    assert len(await runtime.logs(wanted.ref, tail=1000)) == 1000
    await runtime.delete(wanted.ref, grace=5)
    assert (await runtime.logs(wanted.ref, tail=100)).endswith("the end\n")


async def test_logs_outlive_the_object_and_end_with_the_server(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    server_id = 7001
    for attempt in (1, 2, 3):
        wanted = spec("sh", "-c", f"echo attempt {attempt}", ref=Ref(server_id, attempt))
        await runtime.create(wanted)
        assert await output(runtime, wanted.ref) == f"attempt {attempt}\n"
        await runtime.delete(wanted.ref, grace=5)
    kept = [await runtime.logs(Ref(server_id, attempt), tail=100) for attempt in (1, 2, 3)]
    assert kept == ["", "attempt 2\n", "attempt 3\n"]
    await runtime.forget(server_id)
    assert await runtime.logs(Ref(server_id, 3), tail=100) == ""
    assert list((tmp_path / "logs").iterdir()) == []


async def test_output_that_is_not_text_is_shown_all_the_same(runtime: ProcessRuntime) -> None:
    wanted = spec("printf", r"a\377b")
    await runtime.create(wanted)
    assert await output(runtime, wanted.ref) == "a\ufffdb"


# -- the driver itself


async def test_a_closed_runtime_says_so(tmp_path: Path) -> None:
    runtime = ProcessRuntime(tmp_path, HUB, LOG_SIZE, "here")
    await runtime.list()
    helper = runtime.helper_pid
    await runtime.close()
    assert not Path(f"/proc/{helper}").exists()
    with pytest.raises(Unavailable):
        await runtime.observe(Ref(1, 1))


def test_it_works_on_uvloop(tmp_path: Path) -> None:
    async def journey() -> None:
        told: list[Ref] = []
        wanted = spec()
        async with running(tmp_path) as first:
            await first.create(wanted)
        async with running(tmp_path) as second:
            second.on_exit(told.append)
            assert (await second.observe(wanted.ref)).life is Life.RUNNING
            os.kill(pids(wanted.ref).pop(), signal.SIGKILL)
            assert (await until_ended(second, wanted.ref)).exit_code is None
            await second.delete(wanted.ref, grace=1)
        assert told == [wanted.ref]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(journey(), 60))
