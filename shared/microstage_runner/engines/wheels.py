"""Names of Python packages, as indexes and wheels spell them."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["normalised", "project"]


def normalised(name: str) -> str:
    """Return a project's name as an index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def project(wheel: Path) -> str:
    """Return the normalised name of the project that a wheel is of."""
    return normalised(wheel.name.split("-")[0])
