"""What the hub answers is what the document of its API says.

The recorded suite asks, through a recorder; whatever it does not ask is asked here. Every
operation of the document is asked for at least once.
"""

from __future__ import annotations

import html
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from recording import Contract, Exchange, recorded

from hubs import PASSWORD, TRIAL, RunningHub

SUITE = Path(__file__).parent / "conformance" / "conformance.py"


@pytest.fixture(scope="module")
def suite_exchanges() -> Iterator[tuple[Contract, list[Exchange]]]:
    with (
        RunningHub(
            command=["tests/wire/run_hub.sh"],
            environment={"CONF_PORT": "{port}", "CONF_STATE": "{folder}"},
        ) as hub,
        recorded(hub.origin) as (address, exchanges),
    ):
        told = subprocess.run(
            [sys.executable, str(SUITE), "check", "--skip-quirks", "--base-url", address],
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        with hub.client() as client:
            document = client.get("hub/api/openapi.json").json()
        assert " passed, " in told.stdout, told.stderr[-4000:]  # whether all of it is another test's matter
        yield Contract(document), exchanges


def test_whatever_the_recorded_suite_provokes_is_in_the_document(
    suite_exchanges: tuple[Contract, list[Exchange]],
) -> None:
    contract, exchanges = suite_exchanges
    assert len(exchanges) > 1500
    breaches = [breach for one in exchanges if (breach := contract.breach(one))]
    assert breaches == []


#: What the suite does not bring to succeed, or not through the recorder; profiles are ours alone.
LEFT = {
    ("GET", "/api/openapi.json"),
    ("GET", "/api/authorizations/token"),
    ("HEAD", "/api/health"),
    ("PUT", "/api/users/{user}/server"),
    ("PATCH", "/api/users/{user}/server"),
    ("POST", "/api/users/{user}/admin-access"),
    ("POST", "/api/shutdown"),
}


def test_the_recorded_suite_asks_for_nearly_every_operation(
    suite_exchanges: tuple[Contract, list[Exchange]],
) -> None:
    contract, exchanges = suite_exchanges
    asked = {contract.operation(one) for one in exchanges if one.status < 400}
    left = {(method.upper(), path) for path, method in contract.paths() - asked}
    # JupyterHub has no profiles and no audit log to be asked for: they have tests of their own.
    ours = ("/api/profiles", "/api/audit")
    assert {(m, path) for m, path in left if not path.startswith(ours)} == LEFT


def test_the_rest_of_the_operations_answer_as_in_the_document() -> None:
    proof = {"username": "ada", "password": PASSWORD}
    with RunningHub(TRIAL) as hub, recorded(hub.origin) as (address, exchanges):
        admin = {"authorization": f"token {hub.token}"}
        with httpx.Client(base_url=f"{address}/hub", timeout=60, trust_env=False) as client:
            contract = Contract(client.get("/api/openapi.json").json())
            assert client.request("GET", "/api/authorizations/token", json=proof).status_code == 200
            assert client.head("/api/health").status_code == 200
            own = "/api/users/ada/server"
            assert client.put(own, headers=admin).status_code in (400, 409)
            changed = client.patch(own, headers=admin, json={"user_options": {}})
            assert changed.status_code in (200, 404)
            assert client.post("/api/users/ada/admin-access", headers=admin).status_code == 403
            assert client.get("/api/audit?limit=2&action=user", headers=admin).status_code == 200
            assert client.get("/api/audit/export", headers=admin).status_code == 200
            assert client.post("/api/shutdown", headers=admin, json={"servers": True}).status_code == 202
    asked = {contract.operation(one) for one in exchanges}
    assert {(path, method.lower()) for method, path in LEFT} <= asked
    assert [breach for one in exchanges if (breach := contract.breach(one))] == []


#: A profile's life: method, path, body, status.
LIFE: tuple[tuple[str, str, Any, int], ...] = (
    ("POST", "", {"slug": "mine", "kind": "hello"}, 201),
    ("POST", "", {"slug": "mine", "kind": "hello"}, 409),
    ("GET", "", None, 200),
    ("GET", "?all=1&withdrawn=1", None, 200),
    ("GET", "?user=nobody-here", None, 404),
    ("GET", "/mine", None, 200),
    ("PATCH", "/mine", {"description": "New."}, 200),
    ("PUT", "/mine", {"kind": "hello", "memory_limit": "1G"}, 200),
    ("GET", "/mine/versions", None, 200),
    ("POST", "/mine/rollback", {"version": 1}, 200),
    ("POST", "/mine/bindings", {"user": "admin"}, 201),
    ("GET", "/mine/bindings", None, 200),
    ("POST", "/mine/validate", {"options": {"none": 1}}, 200),
    ("GET", "/mine/preview", None, 200),
    ("DELETE", "/mine/bindings/1", None, 404),
    ("GET", "/_settings", None, 200),
    ("POST", "/_settings/reload", None, 200),
    ("DELETE", "/mine", None, 204),
    ("GET", "/mine", None, 404),
)


def test_profiles_answer_as_in_the_document() -> None:
    with RunningHub(TRIAL) as hub, recorded(hub.origin) as (address, exchanges):
        admin = {"authorization": f"token {hub.token}"}
        with httpx.Client(
            base_url=f"{address}/hub/api", headers=admin, timeout=60, trust_env=False
        ) as client:
            contract = Contract(client.get("/openapi.json").json())
            for method, path, body, status in LIFE:
                answer = client.request(method, f"/profiles{path}", json=body)
                assert answer.status_code == status, (method, path, answer.text)
            made = client.post("/profiles/profile_1_slug/bindings", json={"user": "admin"}).json()
            assert client.delete(f"/profiles/profile_1_slug/bindings/{made['id']}").status_code == 204
    asked = {contract.operation(one) for one in exchanges}
    assert {one for one in contract.paths() if one[0].startswith("/api/profiles")} <= asked
    assert [breach for one in exchanges if (breach := contract.breach(one))] == []


def test_document_and_page_are_open_and_name_every_operation_below_any_base_url() -> None:
    with RunningHub({**TRIAL, "base_url": "/apps/"}) as hub, hub.client() as client:
        document = client.get("hub/api/openapi.json").json()
        page = client.get("hub/api-docs")
    assert document["servers"] == [{"url": "/apps/hub"}]
    assert page.status_code == 200
    assert "script-src 'self'" in ", ".join(page.headers.get_list("content-security-policy"))
    shown = html.unescape(page.text)
    for path, methods in document["paths"].items():
        assert f"<code>/apps/hub{path}</code>" in shown
        for told in methods.values():
            assert told["summary"] in shown
    for name in document["components"]["schemas"]:
        assert f"<code>{name}</code>" in shown
