"""Names of files as somebody else wrote them: whether each is a path below a folder, and has a place of its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

__all__ = ["clashing", "inside"]

_LONGEST_NAME, _LONGEST_PART = 1024, 255


def inside(name: Any) -> bool:
    """Tell whether `name` is a file's path below a folder, on any system, that can be printed."""
    if not isinstance(name, str) or len(name) > _LONGEST_NAME or not name.isprintable():
        return False
    parts = name.split("/")
    short = all(len(part.encode()) <= _LONGEST_PART for part in parts)
    return short and not {"", ".", ".."} & {*parts} and "\\" not in name and not re.match("[A-Za-z]:", name)


def clashing(names: Iterable[str]) -> str | None:
    """Return a name that lies below another, or differs from one in case alone.

    None if each has its own place anywhere.
    """
    places = sorted((unicodedata.normalize("NFC", name).casefold().split("/"), name) for name in names)
    return next((name for (above, _), (place, name) in pairwise(places) if place[: len(above)] == above), None)
