"""Who is let in, and when: limits of what servers may take, and the line of the starts that wait for room."""

from apphub.admission.actions import Admission
from apphub.admission.model import Spot

__all__ = ["Admission", "Spot"]
