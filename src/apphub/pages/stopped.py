"""The page that is shown instead of a server that does not run."""

from __future__ import annotations

from apphub.access.grants import Target
from apphub.pages.cards import state_of
from apphub.pages.contexts import Stopped
from apphub.servers.model import Server
from apphub.servers.views import Account
from apphub.web.request import HubRequest


def target_of(account: Account, server: Server) -> Target:
    """The server, for questions of reach."""
    return Target(user=server.key.user, groups=frozenset(account.person.groups), server=str(server.key))


def stopped_page(request: HubRequest, account: Account, server: Server, goal: str) -> Stopped:
    """Why it does not run, and a way to start it; `goal` is where the visitor wanted to go."""
    return Stopped(
        user=server.key.user,
        server=server.key.name,
        display_name=server.display_name,
        next=goal,
        state=state_of(server),
        reason=(server.reason or "").partition("\n")[0] if server.failed else "",
        may_start=request.actor.may("start:servers", target_of(account, server)),
    )
