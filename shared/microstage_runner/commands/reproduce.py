"""`make reproduce STAGE=`: the image and the stage twice, under other circumstances; every byte compared."""

from __future__ import annotations

from microstage_runner.reproduce.reproduce import reproduce
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> int:
    """Return 0 if both gave the same bytes."""
    return reproduce(session.pipeline(loud=True), session.stage())
