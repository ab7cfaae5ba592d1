"""JSON that somebody else wrote."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["parse_json"]


def parse_json(text: bytes | str) -> Any:
    """Return the value of a JSON text; `ValueError` for whatever is none, too deep a nesting among it."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
