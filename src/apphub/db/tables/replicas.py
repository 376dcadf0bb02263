"""What replicas tell each other. Nothing else refers to it."""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.tables.base import metadata
from apphub.db.types import Id, Moment

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

#: Machines whose servers edges of other machines reach, and where; each stays as long as it has servers.
places = sa.Table(
    "places",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("key", sa.Text, nullable=False),  # which secret key its hubs have
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
