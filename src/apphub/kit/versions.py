"""Numbers of releases."""


def parts(version: str) -> tuple[int, ...]:
    """A release as numbers, to be compared: `0.1.0` is (0, 1, 0)."""
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
