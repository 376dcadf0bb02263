"""All tables, from those that others refer to down to those that refer to others.

Keys never come back (`sqlite_autoincrement`), so a name made of an id never means two
things. Text that people type is bounded before it gets here. Secrets are only here hashed.
`source` says who declared a row: `settings` for the file, `api` for everybody else.
"""

from apphub.db.tables.access import (
    ended_streams,
    epochs,
    oauth_clients,
    oauth_codes,
    passes,
    share_codes,
    shares,
    tokens,
)
from apphub.db.tables.base import metadata
from apphub.db.tables.people import groups, holders, hub, memberships, roles, services, sessions, users
from apphub.db.tables.profiles import launch_checks, profile_bindings, profile_versions, profiles
from apphub.db.tables.records import audit, bulk_items, bulk_jobs, idempotency, login_failures
from apphub.db.tables.replicas import declarations, jobs, places, replicas, routes_held
from apphub.db.tables.servers import HELD, WAITING, line, server_events, servers, start_times

__all__ = [
    "HELD",
    "WAITING",
    "audit",
    "bulk_items",
    "bulk_jobs",
    "declarations",
    "ended_streams",
    "epochs",
    "groups",
    "holders",
    "hub",
    "idempotency",
    "jobs",
    "launch_checks",
    "line",
    "login_failures",
    "memberships",
    "metadata",
    "oauth_clients",
    "oauth_codes",
    "passes",
    "places",
    "profile_bindings",
    "profile_versions",
    "profiles",
    "replicas",
    "roles",
    "routes_held",
    "server_events",
    "servers",
    "services",
    "sessions",
    "share_codes",
    "shares",
    "start_times",
    "tokens",
    "users",
]
