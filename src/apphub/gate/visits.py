"""Which server an address leads to, and who visits it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from apphub.access.actor import Actor
from apphub.passes.actions import may_visit
from apphub.servers.model import Server
from apphub.servers.views import Account
from apphub.web.credentials import TOKEN
from apphub.web.request import HubRequest

#: Holds a pass; its path is the app's.
PASS_COOKIE = "apphub-pass"  # noqa: S105 - a name
#: Cookies of ours, which no app sees.
OURS = frozenset({PASS_COOKIE, "jupyterhub-session-id", "jupyterhub-hub-login"})


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit to a server that runs, and whose edge asks."""

    account: Account
    server: Server

    def open_to(self, actor: Actor | None) -> bool:
        """Whether this person or program may use the server."""
        groups = frozenset(self.account.person.groups)
        return actor is not None and may_visit(actor, self.server.key, groups)


async def find_visit(request: HubRequest, path: str) -> Visit | None:
    """The guarded server below whose prefix a path (`/user/ada/lab/x`, as sent) lies, by the rule that the
    edge routes by: a named server that runs wins over the default one.
    """
    parts = path.split("/")
    if len(parts) < 4 or parts[1] != "user":
        return None
    account = await request.hub.views.find_account(unquote(parts[2]))
    if account is None:
        return None
    named = account.server(unquote(parts[3])) if len(parts) > 4 and parts[3] else None
    server = named if named is not None and named.address is not None else account.server("")
    if server is None or server.address is None or server.plan is None or not server.plan.guarded:
        return None
    return Visit(account, server)


def hub_token(request: HubRequest) -> str | None:
    """The token of the `Authorization` header, if it could be one of ours."""
    match = TOKEN.fullmatch(request.headers.get("authorization", "").strip())
    return match[1] if match else None


def passes_of(request: HubRequest) -> list[str]:
    """All passes that the browser sent: those of a server below another's path come together."""
    return [value for name, value in _cookies(request) if name == PASS_COOKIE][:5]


def other_cookies(request: HubRequest) -> str:
    """The cookies that are the app's business."""
    return "; ".join(f"{name}={value}" for name, value in _cookies(request) if name not in OURS)


def _cookies(request: HubRequest) -> list[tuple[str, str]]:
    cookies = []
    for part in request.headers.get("cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name:
            cookies.append((name, value))
    return cookies
