"""From the sign-in page to the result of a cell, and back: the whole way in a real browser.

The kernel speaks over a websocket through the edge, so a result seen is the data plane at work.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lab
import pytest
from browsing import visiting
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from playwright.sync_api import Browser, expect

from hubs import RunningHub, until


def certificate(folder: Path) -> dict[str, str]:
    """A certificate of the test's own, as the settings name it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "chain.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    private.chmod(0o600)
    return {"certificate": str(pem), "key": str(private)}


@pytest.fixture
def hub(request: pytest.FixtureRequest, jupyterlab: str, tmp_path: Path) -> Iterator[RunningHub]:
    way = getattr(request, "param", "plain")
    more: dict[str, Any] = {
        "below /apps/": {"base_url": "/apps/"},
        "with TLS": {"tls": certificate(tmp_path)},
    }
    config = lab.offering(jupyterlab, **more.get(way, {}))
    with RunningHub(config, ip="::1" if way == "on [::1]" else "127.0.0.1") as hub:
        yield hub


@pytest.mark.parametrize("hub", ["plain", "below /apps/", "with TLS", "on [::1]"], indirect=True)
def test_a_member_starts_jupyterlab_runs_a_cell_and_stops_it(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as ada:
        ada.sign_in("ada")
        ada.shows("hub/home")
        ada.start("JupyterLab")
        ada.shows("hub/spawn-pending/ada")
        expect(ada.page.get_by_role("heading", level=1)).to_contain_text("Starting")
        expect(ada.page.get_by_role("log")).to_contain_text("Spawning server")

        ada.shows("user/ada/lab*")
        notebook = lab.Notebook(ada.page)
        notebook.check("6 * 7", "42")
        notebook.check("import os; os.environ['JUPYTERHUB_USER']", "'ada'")

        ada.home()
        expect(ada.server()).to_contain_text("Ready")
        ada.server().get_by_role("button", name="Stop").click()
        ada.shows("hub/home")
        expect(ada.server()).to_contain_text("Stopped")
    until(lambda: not hub.server_pids(), "JupyterLab and its kernel are gone")


def test_who_is_not_in_the_group_sees_why_they_may_not_start_it(hub: RunningHub, browser: Browser) -> None:
    with visiting(browser, hub) as bob:
        bob.sign_in("bob")
        bob.shows("hub/home")
        expect(bob.card("JupyterLab")).to_contain_text("analysts")
        expect(bob.card("JupyterLab").get_by_role("button", name="Start")).to_have_count(0)
