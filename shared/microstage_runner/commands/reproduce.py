"""`make reproduce STAGE=`: the image and the stage twice, under other circumstances; every byte compared."""

from __future__ import annotations

from microstage_runner.commands.planned import Planned, up_to
from microstage_runner.reproduce.reproduce import reproduce
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return the runs that STAGE= reads, which is run twice."""
    sources = session.stages[session.stage()].inputs.values()
    return up_to(session, *(name for name in sources if name in session.stages))


def command(session: Session) -> int:
    """Return 0 if both gave the same bytes."""
    return reproduce(session.pipeline(loud=True), session.stage())
