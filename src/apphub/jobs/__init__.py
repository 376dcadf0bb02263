"""The same thing done to many: written down first, then done step by step, whatever happens meanwhile."""

from apphub.jobs.actions import Jobs

__all__ = ["Jobs"]
