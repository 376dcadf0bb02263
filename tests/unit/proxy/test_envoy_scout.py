"""How an edge of another machine asks for the hubs."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import Mock

import httpx
import pytest

from apphub.proxy.envoy.scout import Scout


def test_two_that_ask_at_once_do_not_hang_up_on_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question is not ended with the task that asked it, so the next start may meet it."""
    scout = Scout(tmp_path, ["127.0.0.1:1"], "", "/")
    asked, may_fail = threading.Event(), threading.Event()

    class Line:
        """What `get` uses; the first answer is late, and is none."""

        def __init__(self, **_options: object) -> None:
            self.closed = False

        def get(self, _url: str, **_options: object) -> httpx.Response:
            first = not asked.is_set()
            asked.set()
            if first:
                may_fail.wait(5)
            else:
                may_fail.set()
                time.sleep(0.05)
            assert not self.closed
            raise httpx.ConnectError("nobody")

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(httpx, "Client", Line)
    monkeypatch.setattr("ssl.create_default_context", Mock())
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(scout.refresh)
        assert asked.wait(5)
        threading.Timer(0.2, may_fail.set).start()
        scout.prepare()
        asking.result(5)
