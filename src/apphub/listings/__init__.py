"""Lists for people who look after many: searched, sorted and paged by the database."""

from apphub.listings.actions import Listings

__all__ = ["Listings"]
