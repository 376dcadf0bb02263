"""What others' files say, in our own terms."""

from apphub.importer.offer import Offered, collect, convert_file

__all__ = ["Offered", "collect", "convert_file"]
