"""What the helper says to people: about limits, ends and its own faults.

Used by the helper, so the standard library only.
"""

from __future__ import annotations

import os
import signal

from apphub.runtimes.process import cgroups
from apphub.runtimes.process.launching import Order


def notes(order: Order, memory: str | None, cpu: str | None) -> str:
    """What a person should know of the limits: of those wanted, which has no control group."""
    unkept = [
        what
        for what, wanted, group in (("memory", order.memory, memory), ("processor", order.cpus, cpu))
        if wanted is not None and group is None
    ]
    return f"The {' and '.join(unkept)} limit is not enforced on this machine." if unkept else ""


def fault(error: Exception) -> str:
    """What went wrong and where, with nothing of the request: it holds an environment."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    text = f"{type(error).__name__} in {place.tb_frame.f_code.co_name if place else 'an unknown place'}"
    return f"{text}: {os.strerror(error.errno or 0)}" if isinstance(error, OSError) else text


def ending(code: int, group: str | None) -> str:
    """How a process ended, given its status (negative: a signal) and the control group of its memory."""
    if code >= 0:
        return f"It ended by itself with status {code}."
    try:
        name = f"signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        name = f"signal {-code}"
    if group is not None and cgroups.ran_out(group):
        return f"It was killed by {name}: it used more memory than its limit."
    return f"It was killed by {name}."
