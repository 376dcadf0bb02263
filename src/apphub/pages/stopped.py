"""The page that is shown instead of a server that does not run."""

from __future__ import annotations

from apphub.pages.answers import language
from apphub.pages.cards import reason_of, state_of, target_of
from apphub.pages.contexts import Stopped
from apphub.pages.said import say
from apphub.servers.model import Server
from apphub.servers.views import Account
from apphub.web.request import HubRequest


def stopped_page(request: HubRequest, account: Account, server: Server, goal: str) -> Stopped:
    """Why it does not run, and a way to start it; `goal` is where the visitor wanted to go."""
    target = target_of(server, frozenset(account.person.groups))
    return Stopped(
        user=server.key.user,
        server=server.key.name,
        display_name=server.display_name,
        next=goal,
        state=state_of(server),
        reason=say(language(request), reason_of(server)),
        may_start=request.actor.may("start:servers", target),
    )
