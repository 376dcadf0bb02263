"""A service as JupyterHub's documentation writes them, with its library: says who visits.

    whoami_service.py oauth     for people: signs them in with the hub (HubOAuth)
    whoami_service.py token     for programs: takes API tokens of the hub (HubAuth)

Run by the hub in the clients' environment. What the library asks of the hub it remembers for
one second only, so that a test need not wait long.
"""

from __future__ import annotations

import json
import os
import sys
from urllib.parse import urlsplit

from jupyterhub.services.auth import (
    HubAuth,
    HubAuthenticated,
    HubOAuth,
    HubOAuthCallbackHandler,
    HubOAuthenticated,
)
from tornado.ioloop import IOLoop
from tornado.web import Application, RequestHandler, authenticated


class Answers(RequestHandler):
    """Writes down who is there."""

    @authenticated
    def get(self) -> None:
        user = self.get_current_user()
        self.set_header("content-type", "application/json")
        self.write(json.dumps({"name": user["name"], "kind": user["kind"], "scopes": user["scopes"]}))


class ForPeople(HubOAuthenticated, Answers):
    """Sends who is not known to the hub."""


class ForPrograms(HubAuthenticated, Answers):
    """Refuses who is not known."""


def main() -> None:
    """Serve until stopped."""
    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    if sys.argv[1] == "oauth":
        HubOAuth.instance(cache_max_age=1)
        routes = [(prefix, ForPeople), (f"{prefix}oauth_callback", HubOAuthCallbackHandler)]
    else:
        HubAuth.instance(cache_max_age=1)
        routes = [(prefix, ForPrograms)]
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    Application(routes, cookie_secret=os.urandom(32)).listen(url.port, url.hostname)
    IOLoop.current().start()


if __name__ == "__main__":
    main()
