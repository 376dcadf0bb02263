"""What a server needs set up is set up by the server's own account, and goes when the server is deleted."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from runtime_specs import delete_all, pids, running, spec, until, until_ended

from apphub.runtimes.base import Life
from apphub.runtimes.process.driver import ProcessRuntime
from apphub.runtimes.setup import File, First, Folder, Mount, Setup

pytestmark = pytest.mark.timeout(120)
SETUP = Setup(
    environment={"HOME": "/workspace"},
    folders=(Folder("work", "work-claim", "/workspace", True), Folder("tmp", "tmp-claim", "/scratch", False)),
    files=(File("init", "init", None, 0o400, "id -u > /workspace/who\necho made > /scratch/made\n"),),
    first=(First("prepare", ("sh", "/opt/init.sh"), (Mount("init", "/opt/init.sh", "init"),)),),
)


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    async with running(tmp_path) as runtime:
        yield runtime
    await delete_all(tmp_path)


@pytest.fixture
def account() -> Iterator[pwd.struct_passwd]:
    """A throw-away system account with a home."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another account")
    name = f"apphub-setup-{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True, timeout=30)
    yield pwd.getpwnam(name)
    subprocess.run(["userdel", "--remove", name], check=True, timeout=30, capture_output=True)


async def test_a_server_is_set_up_and_leaves_only_what_persists(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    wanted = spec(
        *("sh", "-c", "cat /scratch/made; pwd; exec sleep 600"),
        env={"PATH": os.defpath, "HOME": str(home)},
        setup=SETUP,
    )
    assert (await runtime.create(wanted)).life is Life.RUNNING
    own = home / ".apphub/servers" / str(wanted.ref)

    async def said() -> bool:
        return (await runtime.logs(wanted.ref, tail=1000)).endswith("work-claim\n")

    await until(said)
    log = await runtime.logs(wanted.ref, tail=1000)
    assert log.splitlines() == ["apphub: init prepare: begins", "made", f"{home}/.apphub/volumes/work-claim"]
    assert (own / "volumes/tmp-claim/made").exists()
    assert (await runtime.delete(wanted.ref, grace=10)).life is Life.ABSENT
    assert pids(wanted.ref) == set()
    assert not own.exists()
    assert (home / ".apphub/volumes/work-claim/who").exists()


async def test_a_first_command_that_fails_ends_the_server_with_its_output(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    broken = Setup({}, first=(First("prepare", ("sh", "-c", "echo no space; exit 28"), ()),))
    wanted = spec("sleep", "600", env={"PATH": os.defpath, "HOME": str(tmp_path)}, setup=broken)
    await runtime.create(wanted)
    sight = await until_ended(runtime, wanted.ref)
    assert sight.exit_code == 78
    log = (await runtime.logs(wanted.ref, tail=1000)).splitlines()
    assert log[-2:] == [
        "no space",
        "apphub: The init command prepare failed with status 28; its output is above.",
    ]


async def test_everything_is_made_by_the_account_the_server_runs_as(
    runtime: ProcessRuntime, account: pwd.struct_passwd
) -> None:
    wanted = spec("sh", "-c", "exec sleep 600", run_as=account.pw_name, setup=SETUP)
    await runtime.create(wanted)
    who = Path(account.pw_dir) / ".apphub/volumes/work-claim/who"

    async def written() -> bool:
        return who.exists() and bool(who.read_text())

    await until(written)
    assert who.read_text() == f"{account.pw_uid}\n"
    owners = {path.stat().st_uid for path in (Path(account.pw_dir) / ".apphub").rglob("*")}
    assert owners == {account.pw_uid}
    await runtime.delete(wanted.ref, grace=10)
