"""What may be launched, and by whom."""

from __future__ import annotations

import sqlalchemy as sa

from apphub.db.tables.base import of, source, table
from apphub.db.types import Json, Moment

#: Apps that may be launched. Rows stay when a profile is withdrawn, and `revision` rises with every
#: change of anything about it: so the sum over all rows says whether what was read is still so.
profiles = table(
    "profiles",
    sa.Column("slug", sa.Text, nullable=False, unique=True),
    sa.Column("version", sa.Integer, nullable=False),  # the current one
    sa.Column("position", sa.Integer, nullable=False, server_default="0"),  # in lists; the settings' first
    sa.Column("revision", sa.Integer, nullable=False, server_default="1"),
    sa.Column("withdrawn", Moment),
    source(),
)

#: What a profile was and is; only ever inserted into.
profile_versions = table(
    "profile_versions",
    of("profiles", "profile_id", index=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("definition", Json, nullable=False),
    sa.Column("created", Moment, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.UniqueConstraint("profile_id", "number"),
)

#: Who may launch a profile: one user (by id, for a name may be somebody else's later), the members
#: of a group or the holders of a role; perhaps with some options fixed.
profile_bindings = table(
    "profile_bindings",
    of("profiles", "profile_id"),
    of("users", "user_id", nullable=True),
    sa.Column("group_name", sa.Text),
    sa.Column("role_name", sa.Text),
    sa.Column("options", Json),
    source(),
)

#: Whose servers must be looked at, because somebody may have lost what let them start those: all of a
#: user's, or all of a profile. Taken out in the transaction that has looked.
launch_checks = table(
    "launch_checks",
    of("users", "user_id", nullable=True),
    of("profiles", "profile_id", nullable=True),
)
