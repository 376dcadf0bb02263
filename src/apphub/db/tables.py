"""All tables, readable from top to bottom.

Keys never come back (`sqlite_autoincrement`), so a name made of an id never means two
things. Text that people type is bounded before it gets here. Secrets are only here hashed.
`source` says who declared a row: `settings` for the file, `api` for everybody else.
"""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.types import Id, Json, Moment

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _table(name: str, *columns: sa.schema.SchemaItem) -> sa.Table:
    key = sa.Column("id", Id, primary_key=True, autoincrement=True)
    return sa.Table(name, metadata, key, *columns, sqlite_autoincrement=True)


def _of(target: str, name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(
        name, Id, sa.ForeignKey(f"{target}.id", ondelete="CASCADE"), nullable=nullable, index=True
    )


def _source() -> sa.Column[str]:
    return sa.Column("source", sa.Text, nullable=False, server_default="api")


#: One row: what this hub is. `hub_id` marks its runtime objects.
hub = sa.Table(
    "hub",
    metadata,
    sa.Column("hub_id", sa.Text, primary_key=True),
    sa.Column("created", Moment, nullable=False),
)

users = _table(
    "users",
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("issuer", sa.Text),  # who vouches for the person, and under which name there:
    sa.Column("subject", sa.Text),  # an identity is this pair, never an e-mail address
    sa.Column("admin", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("password", sa.Text),  # argon2id
    sa.Column("created", Moment, nullable=False),
    sa.Column("last_activity", Moment, index=True),
    sa.Column("info", Json),
    _source(),
    sa.Column("deleted", Moment),  # going: hidden at once, gone when its last server is
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),  # of their latest start
    sa.UniqueConstraint("issuer", "subject"),
)

groups = _table(
    "groups",
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("properties", Json, nullable=False),
    _source(),
    sa.Column("turn", sa.BigInteger, nullable=False, server_default="0"),  # of its members' latest start
)

memberships = sa.Table(
    "memberships",
    metadata,
    sa.Column("group_id", Id, sa.ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("user_id", Id, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True),
    _source(),
)

services = _table(
    "services",
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("admin", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("url", sa.Text),
    sa.Column("info", Json, nullable=False),
    sa.Column("display", sa.Boolean, nullable=False, server_default=sa.text("true")),
    sa.Column("command", Json),  # of one that the hub runs
    _source(),
)

roles = _table(
    "roles",
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("scopes", Json, nullable=False),
    _source(),
)

#: Who holds a role, beside what follows by itself (every user holds `user`, an admin `admin`).
holders = _table(
    "holders",
    _of("roles", "role_id"),
    _of("users", "user_id", nullable=True),
    _of("groups", "group_id", nullable=True),
    _of("services", "service_id", nullable=True),
    sa.UniqueConstraint("role_id", "user_id", "group_id", "service_id"),
)

sessions = _table(
    "sessions",
    sa.Column("digest", sa.Text, nullable=False, unique=True),  # of the sign-in cookie
    sa.Column("public_id", sa.Text, nullable=False, unique=True),  # jupyterhub-session-id
    _of("users", "user_id"),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment, nullable=False, index=True),
    sa.Column("agent", sa.Text, nullable=False, server_default=""),  # for its owner to know it by
    sa.Column("address", sa.Text, nullable=False, server_default=""),
)

#: Apps that may be launched. Rows stay when a profile is withdrawn, and `revision` rises with every
#: change of anything about it: so the sum over all rows says whether what was read is still so.
profiles = _table(
    "profiles",
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("version", sa.Integer, nullable=False),  # the current one
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),  # in lists; the settings' first
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("withdrawn", Moment),
    _source(),
)

#: What a profile was and is; only ever inserted into.
profile_versions = _table(
    "profile_versions",
    _of("profiles", "profile_id"),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("definition", Json, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.UniqueConstraint("profile_id", "number"),
)

#: Who may launch a profile: one user (by id, for a name may be somebody else's later), the members
#: of a group or the holders of a role; perhaps with some options fixed.
profile_bindings = _table(
    "profile_bindings",
    _of("profiles", "profile_id"),
    _of("users", "user_id", nullable=True),
    sa.Column("group_name", sa.Text),
    sa.Column("role_name", sa.Text),
    sa.Column("options", Json),
    _source(),
)

#: Whose servers must be looked at, because somebody may have lost what let them start those: all of a
#: user's, or all of a profile. Taken out in the transaction that has looked.
launch_checks = _table(
    "launch_checks",
    _of("users", "user_id", nullable=True),
    _of("profiles", "profile_id", nullable=True),
)

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

servers = _table(
    "servers",
    _of("users", "user_id"),
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
    sa.Column("due", Moment, index=True),
    sa.Column("lease", sa.Text),
    sa.Column("lease_until", Moment),
    # which attempt every edge routes to; written by the publisher only
    sa.Column("routed_attempt", sa.Integer),
    # seen from outside
    sa.Column("last_activity", Moment),
    sa.UniqueConstraint("user_id", "name"),
    sa.UniqueConstraint("place", "port"),
    sa.Index("ix_servers_phase", "phase", "place"),
)

#: Asked for, and not let in. Literally as in the index, for a database takes an index on some rows only
#: for what it can see to be about these; and nothing that could lead SQLite to another index, for it
#: knows no better than that all servers at rest are few.
WAITING = sa.and_(
    sa.text("servers.wanted = 'running'"),
    sa.text("servers.attempt > servers.phase_attempt"),
    sa.text("coalesce(servers.place, '') = ''"),
)
_ASKED_FOR = sa.text("wanted = 'running' AND attempt > phase_attempt")
_ONLY_HELD = sa.text("place IS NOT NULL")
sa.Index(
    "ix_servers_line",
    *(servers.c[name] for name in ("turn", "group_turn", "requested", "id")),
    sqlite_where=_ASKED_FOR,
    postgresql_where=_ASKED_FOR,
)
#: Let in, and not stopped: what counts against limits.
sa.Index(
    "ix_servers_held",
    *(servers.c[name] for name in ("user_id", "profile_id", "cpu", "memory")),
    sqlite_where=_ONLY_HELD,
    postgresql_where=_ONLY_HELD,
)

#: What happened on the way, for progress pages: kept for the last attempts of each server.
server_events = _table(
    "server_events",
    _of("servers", "server_id"),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
)

oauth_clients = _table(
    "oauth_clients",
    # JupyterHub's names for servers: the server `b` of `a` and the default one of `a-b` have the same
    sa.Column("client_id", sa.Text, nullable=False, index=True),
    sa.Column("description", sa.Text, nullable=False, server_default=""),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("allowed_scopes", Json, nullable=False),
    sa.Column("no_confirm", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("service_id", Id, sa.ForeignKey("services.id", ondelete="CASCADE"), unique=True),
    sa.Column("server_id", Id, sa.ForeignKey("servers.id", ondelete="CASCADE"), unique=True),
)
#: Services choose their names, and each its own.
sa.Index(
    "uq_oauth_clients_of_services",
    oauth_clients.c.client_id,
    unique=True,
    sqlite_where=oauth_clients.c.service_id.is_not(None),
    postgresql_where=oauth_clients.c.service_id.is_not(None),
)

oauth_codes = _table(
    "oauth_codes",
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    _of("oauth_clients", "client_id"),
    _of("users", "user_id"),
    _of("sessions", "session_id", nullable=True),
    sa.Column("redirect_uri", sa.Text, nullable=False),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("challenge", sa.Text),  # PKCE, RFC 7636, S256 only
    sa.Column("expires", Moment, nullable=False),
)

tokens = _table(
    "tokens",
    # how it is hashed, and what finds it: for `sha256` the digest itself is the key; for hashes
    # taken over from a JupyterHub the first four characters of the token
    sa.Column("scheme", sa.Text, nullable=False),
    sa.Column("prefix", sa.Text, nullable=False, index=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    _of("users", "user_id", nullable=True),
    _of("services", "service_id", nullable=True),
    _of("servers", "server_id", nullable=True),  # a server's own token
    _of("sessions", "session_id", nullable=True),
    _of("oauth_clients", "client_id", nullable=True),  # granted to an app by OAuth
    sa.Column("scopes", Json, nullable=False),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("created", Moment, nullable=False),
    sa.Column("last_used", Moment),
    sa.Column("expires", Moment, index=True),
    _source(),
)

#: Passes given to visitors of servers that the edge guards. They outlive sign-in and user, so that
#: the edges can be told that they no longer count until they have expired.
passes = _table(
    "passes",
    _of("servers", "server_id"),
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
shares = _table(
    "shares",
    _of("servers", "server_id"),
    _of("users", "user_id", nullable=True),
    _of("groups", "group_id", nullable=True),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment, index=True),
)

#: A code that whoever has it may trade for a share.
share_codes = _table(
    "share_codes",
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    _of("servers", "server_id"),
    sa.Column("scopes", Json, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("expires", Moment, index=True),
    sa.Column("exchange_count", sa.Integer, nullable=False, server_default="0"),
    sa.Column("last_exchanged", Moment),
)

#: Hubs that run on this database, where there may be several. No other table refers to them: one that
#: was taken for dead may write once more.
replicas = sa.Table(
    "replicas",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("place", sa.Text, nullable=False),
    sa.Column("process", sa.Text, nullable=False),  # which process of the place it is
    sa.Column("edges", sa.Integer, nullable=False),  # that are connected to it
    sa.Column("seen", Moment, nullable=False),
)

#: Which attempt of a server all edges of a replica route to (0: none), until all replicas agree.
routes_held = sa.Table(
    "routes_held",
    metadata,
    sa.Column("replica_id", sa.Text, primary_key=True),
    sa.Column("server_id", Id, primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
)

#: What one of all replicas does now and then: nobody else until then.
jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("until", Moment, nullable=False),
)

#: Which settings, and which profiles, were declared last. Replicas with older ones leave them alone.
declarations = sa.Table(
    "declarations",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("at", Moment, nullable=False),
)

#: Requests with an `Idempotency-Key`, and how they were answered: written with what they did.
idempotency = _table(
    "idempotency",
    sa.Column("digest", sa.Text, nullable=False, unique=True),  # of who asked, what, and the key
    sa.Column("body", sa.Text, nullable=False),  # digest of what was sent
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Column("busy_until", Moment),  # the first request may still be under way until then
    sa.Column("expires", Moment, nullable=False, index=True),
)

#: Failed sign-ins in the current window, by account and by address.
login_failures = sa.Table(
    "login_failures",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("until", Moment, nullable=False, index=True),
)

#: Who did what to whom; only ever inserted into, in the transaction of the change itself.
audit = _table(
    "audit",
    sa.Column("at", Moment, nullable=False, index=True),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("behalf", sa.Text),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("before", Json),
    sa.Column("after", Json),
    sa.Column("address", sa.Text),
    sa.Column("request_id", sa.Text),
    # each for a list of the newest first
    sa.Index("ix_audit_actor_id", "actor", "id"),
    sa.Index("ix_audit_behalf_id", "behalf", "id"),
    sa.Index("ix_audit_action_id", "action", "id"),
    sa.Index("ix_audit_target_id", "target", "id"),
)

#: The same thing to be done to many: a row for the whole, and one for each.
bulk_jobs = _table(
    "bulk_jobs",
    _of("users", "user_id"),  # who asked, and whose rights count when it is done
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False, server_default=""),  # the group, for one that fills it
    sa.Column("created", Moment, nullable=False),
    sa.Column("finished", Moment, index=True),
    sa.Column("cancelled", sa.Boolean, nullable=False, server_default=sa.text("false")),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("address", sa.Text),
    sa.Column("request_id", sa.Text),
    sa.Column("lease", sa.Text),
    sa.Column("lease_until", Moment),
)

#: One of them: a user, or a server as `user/name`. `done` is when; `problem` why it could not be.
bulk_items = _table(
    "bulk_items",
    sa.Column("job_id", Id, sa.ForeignKey("bulk_jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("done", Moment),
    sa.Column("problem", sa.Text),
    sa.Index("ix_bulk_items_job_id_done", "job_id", "done"),
)
