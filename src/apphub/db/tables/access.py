"""What lets programs and visitors in: tokens and OAuth, passes of the edge, shares."""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.tables.base import index_of_some, metadata, of, source, table
from apphub.db.types import Id, Json, Moment

oauth_clients = table(
    "oauth_clients",
    # JupyterHub's names for servers: the server `b` of `a` and the default one of `a-b` have the same
    sa.Column("client_id", sa.Text, nullable=False, index=True),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("redirect_uri", sa.Text, nullable=False, index=True),
    sa.Column("allowed_scopes", Json, nullable=False),
    sa.Column("no_confirm", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("service_id", Id, sa.ForeignKey("services.id", ondelete="CASCADE"), unique=True),
    sa.Column("server_id", Id, sa.ForeignKey("servers.id", ondelete="CASCADE"), unique=True),
)
#: Services choose their names, and each its own.
index_of_some(
    "uq_oauth_clients_of_services",
    oauth_clients.c.client_id,
    unique=True,
    where=oauth_clients.c.service_id.is_not(None),
)

oauth_codes = table(
    "oauth_codes",
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    of("oauth_clients", "client_id"),
    of("users", "user_id"),
    of("sessions", "session_id", nullable=True),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("challenge", sa.Text),  # PKCE, RFC 7636, S256 only
    sa.Column("expires", Moment, nullable=False),
)

tokens = table(
    "tokens",
    # how it is hashed, and what finds it: for `sha256` the digest itself is the key; for hashes
    # taken over from a JupyterHub the first four characters of the token
    sa.Column("scheme", sa.Text, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False, index=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    of("users", "user_id", nullable=True),
    of("services", "service_id", nullable=True),
    of("servers", "server_id", nullable=True),  # a server's own token
    of("sessions", "session_id", nullable=True),
    of("oauth_clients", "client_id", nullable=True),  # granted to an app by OAuth
    sa.Column("scopes", Json, nullable=False),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("created", Moment, nullable=False),
    sa.Column("last_used", Moment),
    sa.Column("expires", Moment, index=True),
    source(),
)

#: Passes given to visitors of servers that the edge guards. They outlive sign-in and user, so that
#: the edges can be told that they no longer count until they have expired.
passes = table(
    "passes",
    of("servers", "server_id", index=False),
    sa.Column("session", sa.Text, nullable=False, index=True),  # its public id
    sa.Column("expires", Moment, nullable=False, index=True),
    sa.Column("denied", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.UniqueConstraint("server_id", "session"),
)

#: Whose open streams must end, at the edges of every machine.
ended_streams = sa.Table(
    "ended_streams",
    metadata,
    sa.Column("server_id", Id, sa.ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("session", sa.Text, primary_key=True),  # its public id
    sa.Column("until", Moment, nullable=False),
)

#: How often all passes of a server were voided at once.
epochs = sa.Table(
    "epochs",
    metadata,
    sa.Column("server_id", Id, sa.ForeignKey("servers.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("epoch", sa.Integer, nullable=False),
)

#: A server opened to a user or to a group; scopes are kept without their filter, which is the server.
shares = table(
    "shares",
    of("servers", "server_id"),
    of("users", "user_id", nullable=True),
    of("groups", "group_id", nullable=True),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment, index=True),
)

#: A code that whoever has it may trade for a share.
share_codes = table(
    "share_codes",
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    of("servers", "server_id"),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment, index=True),
    sa.Column("exchange_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_exchanged", Moment),
)
