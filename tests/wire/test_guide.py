"""The guide that people and programs follow, word for word: its code blocks are what is run.

Only what the guide leaves to its reader is filled in: scheme and host, names, password,
token, and the comma that is missing after `"<username>"`. The user that it talks about
exists beforehand. Between its blocks nothing but printing is added.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hubs import RunningHub

GUIDE = Path(__file__).with_name("guide.md")

#: What follows each block, by what the block does: a line of JSON with what it found.
_TELL = {
    "/authorizations/token": "token",
    'requests.get(f"{endpoint}/groups"': "r.status_code, r.json()",
    'requests.post(f"{endpoint}/groups/{group}"': "r.status_code, r.json()",
    'requests.post(f"{endpoint}/groups/{group}/users"': "r.status_code",
    'requests.delete(f"{endpoint}/groups/{group}/users"': "r.status_code, r.json()",
    "/servers/{server_name}": "r.status_code, r.text",
}


def blocks() -> list[str]:
    """The code blocks of the guide."""
    return re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, f"the guide has no {old!r}"
    return text.replace(old, new)


def filled(block: str, hub: RunningHub) -> str:
    """The block as its reader would write it for this hub."""
    block = _replaced(block, '"https://app-hub.acme.com/hub/api"', f'"{hub.url}hub/api"')
    if '"<username>"' in block:
        block = _replaced(block, '"<username>"\n', f'"{hub.admin}",\n')
        return _replaced(block, '"<password>"', json.dumps(hub.password))
    return _replaced(block, 'token = "d...8"   # previously obtained API token', "token = TOKEN")


def script(hub: RunningHub) -> str:
    """One Python program of all blocks."""
    parts = ["import json, warnings", 'warnings.simplefilter("ignore")  # of verify=False']
    for block, what in zip(blocks(), _TELL, strict=True):
        assert what in block, "the guide has changed: say what to print after this block"
        parts += [filled(block, hub), f"print(json.dumps([{_TELL[what]}]))"]
        if what == "/authorizations/token":
            parts.append("TOKEN = token")
    return "\n".join(parts)


def follow(hub: RunningHub) -> list[Any]:
    """Run the guide; what each block found."""
    told = subprocess.run(
        [sys.executable, "-"], input=script(hub), capture_output=True, text=True, timeout=120, check=False
    )
    assert told.returncode == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def certificate(folder: Path) -> dict[str, str]:
    """A certificate that this test signed itself, as the settings name it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "chain.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return {"certificate": str(folder / "chain.pem"), "key": str(folder / "key.pem")}


MAKE_RUN = ["make", "--silent", "run", "ARGS=--bind {bind} --data-dir {data}"]


@pytest.fixture(params=["make run", "default settings", "below /apps/", "with TLS", "on [::1]"])
def guided_hub(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningHub]:
    made: dict[str, Callable[[], RunningHub]] = {
        "make run": lambda: RunningHub(command=MAKE_RUN),
        "default settings": RunningHub,
        "below /apps/": lambda: RunningHub({"base_url": "/apps/"}),
        "with TLS": lambda: RunningHub({"tls": certificate(tmp_path)}),
        "on [::1]": lambda: RunningHub(ip="::1"),
    }
    with made[request.param]() as hub:
        yield hub


def test_the_guide_runs_word_for_word(guided_hub: RunningHub) -> None:
    assert guided_hub.ask("POST", "users/mrossi").status_code == 201

    told = follow(guided_hub)

    [token], [listed, groups], [created, group], [added], [removed, left], [started, text] = told
    assert re.fullmatch(r"[0-9a-f]{32,}", token)
    assert listed == 200
    assert isinstance(groups, list)
    assert created == 201
    assert (group["name"], group["users"]) == ("group-a", [])
    assert added == 200
    assert removed == 200
    assert (left["name"], left["users"]) == ("group-a", [])
    assert started in (201, 202), text
    server = guided_hub.ready("mrossi", "labs")
    assert server["url"] == f"{guided_hub.base_url}user/mrossi/labs/"
    assert server["user_options"] == {"profile": "profile_1_slug"}
    assert_greets(guided_hub, token)


def assert_greets(hub: RunningHub, token: str) -> None:
    """The server answers at its address, through the edge: to the token with what it was started with."""
    with hub.client(token) as client:
        seen = client.get("user/mrossi/labs/", headers={"accept": "application/json"})
    assert seen.status_code == 200, seen.text
    told = seen.json()
    assert (told["user"], told["server"], told["profile"]) == ("mrossi", "labs", "profile_1_slug")
    assert told["visitor"] == hub.admin
    with hub.client() as stranger:
        sent_on: httpx.Response = stranger.get("user/mrossi/labs/")
    assert sent_on.status_code == 302
    assert "/hub/api/oauth2/authorize" in sent_on.headers["location"]


def test_make_run_reaches_a_working_sign_in_page_with_nothing_prepared() -> None:
    with RunningHub(command=MAKE_RUN) as hub:
        with hub.sign_in("admin", hub.password) as browser:
            home = browser.get("hub/home")
        assert home.status_code == 200
        assert "mine" not in hub.server("admin")
        assert hub.stop() == 0
