"""Requests without a pause, and what did not go well."""

from __future__ import annotations

import threading

import httpx


class Load:
    """Asks for one path until told to stop, with a `pause` (seconds) in between; with a `body` it writes, by POST."""

    def __init__(self, client: httpx.Client, path: str, *, body: object = None, pause: float = 0.0) -> None:
        self.made = 0
        self.failures: list[str] = []
        self._client = client
        self._path = path
        self._body = body
        self._pause = pause
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _run(self) -> None:
        while not self._stop.wait(self._pause):
            try:
                if self._body is not None:
                    answer = self._client.post(self._path, json=self._body)
                else:
                    answer = self._client.get(self._path)
            except httpx.HTTPError as error:
                self.failures.append(repr(error))
            else:
                self.made += 1
                if answer.status_code != 200:
                    self.failures.append(f"{answer.status_code} {answer.text[:200]}")
