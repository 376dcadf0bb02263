"""Lessons that take a hub of their own: how it starts, and what ends by itself. See test_security_api.py."""

from __future__ import annotations

import subprocess
from pathlib import Path

from test_security_api import CONFIG, allowed, code_of, traded

from hubs import APPHUB, RunningHub, until


def test_r14_a_word_that_means_nothing_in_the_rules_of_signing_in_stops_the_start(tmp_path: Path) -> None:
    settings = tmp_path / "apphub.yaml"
    settings.write_text("login:\n  whitelist: [ada]\n")
    told = subprocess.run(
        [APPHUB, "serve", "--config", settings, "--data-dir", tmp_path / "data"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 2
    assert "whitelist" in told.stderr + told.stdout
    assert not (tmp_path / "data" / "apphub.db").exists()


def test_r21_a_new_password_ends_every_sign_in_made_with_the_old_one() -> None:
    with RunningHub() as hub:
        with hub.sign_in("admin", hub.password) as browser:
            kept = dict(browser.cookies)
            token = hub.token
        hub.stop()
        told = subprocess.run(
            [APPHUB, "password", "admin", "--data-dir", hub.data_dir],
            input="a new and longer password\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert told.returncode == 0, told.stderr
        hub.start()
        with hub.client() as thief:
            thief.cookies.update(kept)
            assert thief.get("hub/home").headers["location"].startswith("/hub/login")
        assert hub.token_for("admin", "a new and longer password")
        assert hub.ask("GET", "user", token=token).status_code == 200  # tokens are revoked one by one


def test_r24_a_sign_in_ends_by_itself_at_the_hub_and_in_its_apps() -> None:
    short = {**CONFIG, "login": {**CONFIG["login"], "session_life": "6s"}}
    with RunningHub(short) as hub, hub.sign_in("ada") as browser:
        token = traded(hub, code_of(allowed(hub, browser))).json()["access_token"]
        assert hub.ask("GET", "user", token=token).status_code == 200
        until(lambda: browser.get("hub/api/user").status_code == 403, "the sign-in ends", 30)
        until(lambda: hub.ask("GET", "user", token=token).status_code == 403, "the app's token ends", 5)
