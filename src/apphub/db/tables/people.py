"""Who exists: people, groups, services; what they may do, and where they are signed in."""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.tables.base import metadata, of, source, table
from apphub.db.types import Id, Json, Moment

#: One row: what this hub is. `hub_id` marks its runtime objects.
hub = sa.Table(
    "hub",
    metadata,
    sa.Column("hub_id", sa.Text, primary_key=True),
    sa.Column("created", Moment, nullable=False),
)

users = table(
    "users",
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("issuer", sa.Text),  # who vouches for the person, and under which name there:
    sa.Column("subject", sa.Text),  # an identity is this pair, never an e-mail address
    sa.Column("admin", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("password", sa.Text),  # argon2id
    sa.Column("created", Moment, nullable=False),
    sa.Column("last_activity", Moment),
    sa.Column("info", Json),
    source(),
    sa.Column("deleted", Moment),  # going: hidden at once, gone when its last server is
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),  # of their latest start
    sa.UniqueConstraint("issuer", "subject"),
    # All that the list of users goes by: a search for part of a name reads one of these, and no rows.
    sa.Index("ix_users_name", "name", "deleted", "id"),
    sa.Index("ix_users_activity", "last_activity", "id", "name", "deleted"),
)

groups = table(
    "groups",
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("properties", Json, nullable=False),
    source(),
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),  # of its members' latest start
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("group_id", Id, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("user_id", Id, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    source(),
)

services = table(
    "services",
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("admin", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("url", sa.Text),
    sa.Column("info", Json, nullable=False),
    sa.Column("display", sa.Boolean, nullable=False, server_default=sa.text("true")),
    sa.Column("command", Json),  # of one that the hub runs
    source(),
)

roles = table(
    "roles",
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("scopes", Json, nullable=False),
    source(),
)

#: Who holds a role, beside what follows by itself (every user holds `user`, an admin `admin`).
holders = table(
    "holders",
    of("roles", "role_id", index=False),
    of("users", "user_id", nullable=True),
    of("groups", "group_id", nullable=True),
    of("services", "service_id", nullable=True),
    sa.UniqueConstraint("role_id", "user_id", "group_id", "service_id"),
)

sessions = table(
    "sessions",
    sa.Column("digest", sa.Text, nullable=False, unique=True),  # of the sign-in cookie
    sa.Column("public_id", sa.Text, nullable=False, unique=True),  # jupyterhub-session-id
    of("users", "user_id"),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment, nullable=False, index=True),
    sa.Column("agent", sa.Text, nullable=False, server_default=""),  # for its owner to know it by
    sa.Column("address", sa.Text, nullable=False, server_default=""),
)
