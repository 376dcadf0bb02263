"""The hubs that run on one database: who is there, and who does what one of them does for all."""

from apphub.replicas.actions import Replicas

__all__ = ["Replicas"]
