"""Who may come in: an app's side of the hub's protocol, for the apps that come with the hub.

Standard library only, like the apps themselves. What may surprise: an unfinished sign-in takes
no memory here. Its `state` is random, travels in a signed cookie, and the PKCE verifier is
derived from it with a key that never leaves the process; a flood of strangers cannot push out
anybody's sign-in.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

#: How long a sign-in may take.
SIGN_IN_SECONDS = 600
#: A session is checked again after so long: what the hub revoked ends here too.
RECHECK_SECONDS = 30
#: An answer about a program's token counts so long.
TOKEN_CACHE_SECONDS = 5
HUB_TIMEOUT_SECONDS = 10
MOST_REMEMBERED = 2000
LONGEST_ANSWER = 1_000_000

V = TypeVar("V")


class HubAway(Exception):
    """The hub gave no usable answer."""


class Config(Struct, frozen=True):
    """What the environment says."""

    service_url: str
    prefix: str
    api_url: str
    #: Where browsers find the hub: host (empty: this one) and base path.
    hub: str
    client_id: str
    api_token: str
    callback: str
    access: frozenset[str]
    user: str
    server: str
    profile: str
    options: Any
    activity_url: str
    activity_interval: float

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Config:
        """Raises KeyError or ValueError for an environment that no hub made."""
        return cls(
            service_url=env["JUPYTERHUB_SERVICE_URL"],
            prefix=env.get("JUPYTERHUB_SERVICE_PREFIX", "/"),
            api_url=env["JUPYTERHUB_API_URL"].rstrip("/"),
            hub=env.get("JUPYTERHUB_HOST", "") + env.get("JUPYTERHUB_BASE_URL", "/"),
            client_id=env["JUPYTERHUB_CLIENT_ID"],
            api_token=env["JUPYTERHUB_API_TOKEN"],
            callback=env["JUPYTERHUB_OAUTH_CALLBACK_URL"],
            access=frozenset(json.loads(env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"])),
            user=env.get("JUPYTERHUB_USER", ""),
            server=env.get("JUPYTERHUB_SERVER_NAME", ""),
            profile=env.get("APPHUB_PROFILE", ""),
            options=json.loads(env.get("APPHUB_USER_OPTIONS") or "{}"),
            activity_url=env.get("JUPYTERHUB_ACTIVITY_URL", ""),
            activity_interval=max(1.0, float(env.get("JUPYTERHUB_ACTIVITY_INTERVAL") or 300)),
        )


class Memory(Generic[V]):
    """A dictionary of bounded size and age, safe among threads."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: OrderedDict[str, tuple[float, V]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> V | None:
        with self._lock:
            until, value = self._entries.get(key, (0.0, None))
            return value if until > time.monotonic() else None

    def put(self, key: str, value: V) -> None:
        with self._lock:
            self._entries[key] = (time.monotonic() + self._seconds, value)
            while len(self._entries) > MOST_REMEMBERED:
                self._entries.popitem(last=False)


class Hub:
    """The few things that are asked of the hub."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._known: Memory[tuple[str | None]] = Memory(TOKEN_CACHE_SECONDS)
        self._rechecked: Memory[tuple[str | None]] = Memory(RECHECK_SECONDS)

    def visitor(self, token: str, *, session: bool = False) -> str | None:
        """The name of whom this token belongs to, if they may come in here.

        An answer counts for a few seconds, and for longer where a session is only checked again.
        """
        memory = self._rechecked if session else self._known
        key = hashlib.sha256(token.encode()).hexdigest()
        if (cached := memory.get(key)) is not None:
            return cached[0]
        name = self._ask(token)
        memory.put(key, (name,))
        return name

    def _ask(self, token: str) -> str | None:
        status, body = self._call("GET", self._config.api_url + "/user", token)
        if status in (401, 403, 404):
            return None
        if status != 200 or not isinstance(body, dict):
            raise HubAway(f"the hub answered {status}")
        # A scope without a filter holds everywhere: it covers each of those that let a visitor in.
        wanted = self._config.access | {scope.partition("!")[0] for scope in self._config.access}
        allowed = wanted.intersection(body.get("scopes") or ())
        return str(body.get("name")) if allowed else None

    def exchange(self, code: str, verifier: str) -> str | None:
        """An access token for an authorisation code (RFC 6749, section 4.1.3; RFC 7636)."""
        fields = {
            "client_id": self._config.client_id,
            "client_secret": self._config.api_token,
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._config.callback,
            "code_verifier": verifier,
        }
        url = self._config.api_url + "/oauth2/token"
        kind = "application/x-www-form-urlencoded"
        status, body = self._call("POST", url, self._config.api_token, urlencode(fields).encode(), kind)
        if status >= 500:
            raise HubAway(f"the hub answered {status}")
        token = body.get("access_token") if status == 200 and isinstance(body, dict) else None
        return token if isinstance(token, str) else None

    def report(self, moment: datetime) -> bool:
        """Tell the hub when this server was last used; whether it took it."""
        stamp = moment.isoformat().replace("+00:00", "Z")
        body = {"servers": {self._config.server: {"last_activity": stamp}}, "last_activity": stamp}
        url, token = self._config.activity_url, self._config.api_token
        try:
            return self._call("POST", url, token, json.dumps(body).encode(), "application/json")[0] == 200
        except HubAway:
            return False

    def _call(
        self, method: str, url: str, token: str, body: bytes | None = None, kind: str = ""
    ) -> tuple[int, Any]:
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(parts.hostname or "", parts.port, timeout=HUB_TIMEOUT_SECONDS)
        headers = {"Authorization": f"token {token}", "Accept": "application/json"}
        if kind:
            headers["Content-Type"] = kind
        try:
            connection.request(method, parts.path, body, headers)
            answer = connection.getresponse()
            text = answer.read(LONGEST_ANSWER)
            return answer.status, json.loads(text) if text.strip() else None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise HubAway(type(error).__name__) from error
        finally:
            connection.close()


class SignIn:
    """One browser's way through the hub and back, without a trace in memory."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._key = secrets.token_bytes(32)
        # Cookies of a default server also reach the servers below its path: the name tells them apart.
        self.cookie = "hello-" + hashlib.sha256(config.prefix.encode()).hexdigest()[:10]

    def begin(self, target: str) -> tuple[str, str, str]:
        """Where to send the browser, and the name and value of the cookie it takes along."""
        state = secrets.token_urlsafe(24)
        digest = hashlib.sha256(self._verifier(state).encode()).digest()
        query = {
            "client_id": self._config.client_id,
            "redirect_uri": self._config.callback,
            "response_type": "code",
            "state": state,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        note = json.dumps([state, target, int(time.time()) + SIGN_IN_SECONDS]).encode()
        packed = base64.urlsafe_b64encode(note).decode()
        url = f"{self._config.hub}hub/api/oauth2/authorize?{urlencode(query)}"
        return url, self._name(state), f"{packed}.{self._mac('note', packed)}"

    def finish(self, state: str, cookies: Mapping[str, str]) -> tuple[str, str, str] | None:
        """Verifier, target and name of the cookie of a sign-in that this browser began."""
        packed, _, mac = cookies.get(self._name(state), "").partition(".")
        if not hmac.compare_digest(self._mac("note", packed).encode(), mac.encode()):
            return None
        known, target, until = json.loads(base64.urlsafe_b64decode(packed))
        if not hmac.compare_digest(str(known).encode(), state.encode()) or until < time.time():
            return None
        return self._verifier(state), target, self._name(state)

    def _name(self, state: str) -> str:
        return f"{self.cookie}-{re.sub('[^A-Za-z0-9_-]', '', state)[:8]}"

    def _verifier(self, state: str) -> str:
        return self._mac("verifier", state)

    def _mac(self, purpose: str, text: str) -> str:
        return hmac.new(self._key, f"{purpose}\x00{text}".encode(), "sha256").hexdigest()
