"""Servers: what is wanted and in which phase it is, the line of starts, and what happened on the way."""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.tables.base import index_of_some, metadata, of, table
from apphub.db.types import Id, Json, Moment

#: One row: whose turn it is among the starts that wait, that of users and that of groups. It only rises.
line = sa.Table(
    "line",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("turn", sa.BigInteger, nullable=False),
    sa.Column("group_turn", sa.BigInteger, nullable=False),
)

#: How long the starts of a profile took lately, in seconds.
start_times = sa.Table(
    "start_times",
    metadata,
    sa.Column("profile_id", Id, sa.ForeignKey("profiles.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("seconds", sa.Float, nullable=False),
)

servers = table(
    "servers",
    of("users", "user_id", index=False),
    sa.Column("name", sa.Text, nullable=False),  # "" is the default server
    sa.Column("display_name", sa.Text, nullable=False, server_default=""),
    sa.Column("created", Moment, nullable=False),
    # what people want; written by actions only
    sa.Column("wanted", sa.Text, nullable=False, server_default="stopped"),
    sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("options", Json),  # as they were sent
    sa.Column("spec", Json),  # profile and options as resolved when it was asked for
    sa.Column("requested", Moment),
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),  # its place in the line
    sa.Column("group_turn", sa.BigInteger, nullable=False, server_default="0"),  # among those of one turn
    sa.Column(
        "cpu", sa.Integer, nullable=False, server_default="0"
    ),  # thousandths of a processor, for limits
    sa.Column("memory", sa.BigInteger, nullable=False, server_default="0"),  # bytes, for limits
    sa.Column("profile_id", Id, sa.ForeignKey("profiles.id", ondelete="SET NULL"), index=True),
    sa.Column("ends", Moment, index=True),  # stopped then, if its owner may still not start it
    sa.Column("removal", Moment, index=True),  # forgotten then, unless somebody takes that back
    # what is; written by the reconciler only
    sa.Column("phase", sa.Text, nullable=False, server_default="stopped"),
    sa.Column("phase_attempt", sa.Integer, nullable=False, server_default="0"),
    sa.Column("reason", sa.Text),
    sa.Column("admitted", Moment),
    sa.Column("place", sa.Text),
    sa.Column("ip", sa.Text),
    sa.Column("port", sa.Integer),
    sa.Column("due", Moment),
    sa.Column("lease", sa.Text),
    sa.Column("lease_until", Moment),
    # which attempt every edge routes to; written by the publisher only
    sa.Column("routed_attempt", sa.Integer),
    # seen from outside
    sa.Column("last_activity", Moment),
    sa.UniqueConstraint("user_id", "name"),
    sa.UniqueConstraint("place", "port"),
)

#: Asked for, and not let in. Literally as in the index, for a database takes an index on some rows only
#: for what it can see to be about these; and nothing that could lead SQLite to another index, for it
#: knows no better than that all servers at rest are few.
WAITING = sa.and_(
    sa.text("servers.wanted = 'running'"),
    sa.text("servers.attempt > servers.phase_attempt"),
    sa.text("coalesce(servers.place, '') = ''"),
)
#: Let in, and not stopped: what counts against limits. All that runs is among them.
HELD = servers.c.place.is_not(None)
index_of_some(
    "ix_servers_line",
    *(servers.c[name] for name in ("turn", "group_turn", "requested", "id")),
    where=sa.text("wanted = 'running' AND attempt > phase_attempt"),
)
#: To be looked at: of very many servers very few.
index_of_some("ix_servers_due", servers.c.due, where=servers.c.due.is_not(None))
index_of_some(
    "ix_servers_held", *(servers.c[name] for name in ("user_id", "profile_id", "cpu", "memory")), where=HELD
)

#: What happened on the way, for progress pages: kept for the last attempts of each server.
server_events = table(
    "server_events",
    of("servers", "server_id"),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)
