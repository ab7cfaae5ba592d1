"""`OPEN=1`: the page that a command made, in the reader's browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Mapping
from pathlib import Path

from microstage.errors import ParameterError

__all__ = ["is_to_open", "open_page"]


def is_to_open(typed: Mapping[str, str]) -> bool:
    """Return whether OPEN=1 was typed; raise `ParameterError` for a value that is neither 0 nor 1."""
    text = typed.get("OPEN", "0")
    if text not in ("0", "1"):
        raise ParameterError(f"OPEN={text} is not allowed: expected 1, which opens the page, or 0.")
    return text == "1"


def open_page(page: Path) -> None:
    """Open a page, or say that there is no browser."""
    if not webbrowser.open(page.as_uri()):
        print(f"OPEN=1: no browser was found on this machine; open {page} in one.")
