"""Names of the cookies that the hub and its edge set, in one place: no app may see those that prove anything."""

from __future__ import annotations

#: With this before its name, browsers take a cookie from its own host alone, and only for the whole of it
#: (RFC 6265bis, section 4.1.3.2). It needs https.
HOST_ONLY = "__Host-"

#: Of a sign-in; only sent to the hub.
LOGIN = "jupyterhub-hub-login"
#: Names the sign-in to apps, so that they notice its end.
SESSION = "jupyterhub-session-id"
#: What a form of ours has to repeat.
XSRF = "_xsrf"
#: Holds a pass to an app that the edge guards; its path is the app's.
PASS = "apphub-pass"  # noqa: S105 - a name
#: Ties a visitor's way to an app's own host to their browser.
ENTRY = "apphub-entry"

#: The hub's own, where they are sent to its whole host.
HIDDEN = frozenset(f"{HOST_ONLY}{name}" for name in (LOGIN, XSRF))
#: What no guarded app sees.
OURS = frozenset({PASS, ENTRY, SESSION, LOGIN, f"{HOST_ONLY}{PASS}", f"{HOST_ONLY}{ENTRY}"}) | HIDDEN
