"""What is written down of requests: how they were answered, how they failed, what they changed; and
the work that many of them ask for at once."""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.tables.base import index_of_some, metadata, of, table
from apphub.db.types import Id, Json, Moment

#: Requests with an `Idempotency-Key`, and how they were answered: written with what they did.
idempotency = table(
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
audit = table(
    "audit",
    sa.Column("at", Moment, nullable=False),
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
    sa.Index("ix_audit_action_id", "action", "id"),
    sa.Index("ix_audit_target_id", "target", "id"),
)

#: Nearly always nobody else is behind the actor: such rows cost this one nothing.
index_of_some("ix_audit_behalf_id", audit.c.behalf, audit.c.id, where=audit.c.behalf.is_not(None))

#: The same thing to be done to many: a row for the whole, and one for each.
bulk_jobs = table(
    "bulk_jobs",
    of("users", "user_id"),  # who asked, and whose rights count when it is done
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
bulk_items = table(
    "bulk_items",
    sa.Column("job_id", Id, sa.ForeignKey("bulk_jobs.id", ondelete="CASCADE"), nullable=False),
    sa.Column("item", sa.Text, nullable=False),
    sa.Column("done", Moment),
    sa.Column("problem", sa.Text),
    sa.Index("ix_bulk_items_job_id_done", "job_id", "done"),
)
