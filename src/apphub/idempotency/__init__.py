"""Requests that may be sent twice and count once: what a key was used for, and how that was answered."""

from apphub.idempotency.actions import Keeping
from apphub.idempotency.model import Answered, Asked

__all__ = ["Answered", "Asked", "Keeping"]
