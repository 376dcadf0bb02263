"""${message}"""

import sqlalchemy as sa
from alembic import op

from apphub.db.types import Id, Json, Moment

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

#: The oldest release that can run on the database once this has been applied.
OLDEST = "0.1.0"


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
