"""Sentences that name a command: the runner says `make runs`, and here it is typed as `microstage runs`."""

from __future__ import annotations

import re

__all__ = ["as_typed_here"]

_COMMAND = re.compile(r"(?<=`)(sudo )?make (?=[a-z])|(?<=of )make (?=[a-z])")


def as_typed_here(text: str) -> str:
    """Return `text` with the commands in it as they are typed here."""
    return _COMMAND.sub(lambda found: f"{found[1] or ''}microstage ", text)
