"""Who exists: people and groups."""

from apphub.people.actions import People
from apphub.people.model import Group, Person

__all__ = ["Group", "People", "Person"]
