"""Apps that may be launched, and by whom."""

from apphub.profiles.actions import Profiles
from apphub.profiles.model import Catalogue, Choice

__all__ = ["Catalogue", "Choice", "Profiles"]
