"""Who did what to whom, written in the same transaction as the change."""

from apphub.audit.actions import Audit
from apphub.audit.model import HUB, By
from apphub.audit.store import insert_all, insert_entry

__all__ = ["HUB", "Audit", "By", "insert_all", "insert_entry"]
