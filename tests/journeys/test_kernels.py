"""A person works in JupyterLab while the hub crashes, restarts and is upgraded: the kernel lives on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import lab
import pytest
from browsing import visiting
from playwright.sync_api import Browser

from hubs import RunningHub, until


@pytest.fixture(scope="module")
def hub(jupyterlab: str) -> Iterator[RunningHub]:
    with RunningHub(lab.offering(jupyterlab)) as hub:
        yield hub


@pytest.mark.timeout(400)
def test_a_kernel_keeps_its_variables_through_a_crash_a_restart_in_place_and_an_upgrade(
    hub: RunningHub, browser: Browser
) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.start("JupyterLab")
        ada.shows("user/ada/lab*")
        notebook = lab.Notebook(ada.page)
        notebook.check("import os; kernel = os.getpid(); len([kernel])", "1")
        pids, edge = hub.server_pids(), hub.edge_pid

        hub.kill()
        notebook.check("'no hub', kernel == os.getpid()", "('no hub', True)")
        hub.start()
        notebook.check("'killed', kernel == os.getpid()", "('killed', True)")

        before = hub.logs.count("serves\n")
        os.kill(hub.pid, signal.SIGHUP)
        until(lambda: hub.logs.count("serves\n") > before, "the hub serves again")
        notebook.check("'in place', kernel == os.getpid()", "('in place', True)")
        assert hub.edge_pid == edge, "the edge was not kept"

        # Told to end, the hub takes the edge along; JupyterLab notices, and connects again by itself.
        hub.restart()
        notebook.connect_again()
        notebook.check("'upgraded', kernel == os.getpid()", "('upgraded', True)")
        assert hub.server_pids() == pids
