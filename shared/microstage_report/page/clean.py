"""What facts may hold, made fit for a page: text that acts on the reader is spelt out, and no number is infinite."""

from __future__ import annotations

import math
from typing import Any

from microstage.untrusted.printable import printable

__all__ = ["clean"]


def clean(value: Any) -> Any:
    """Return `value` with every text printable, and with None for every number that JSON has no word for."""
    if isinstance(value, dict):
        return {printable(key): clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    if isinstance(value, str):
        return printable(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
