"""`make resume RUN=`: go on with a training that was cut off."""

from __future__ import annotations

from microstage.errors import ParameterError
from microstage_runner.commands.planned import Planned, up_to
from microstage_runner.declarations.stages import TRAINING, of_role
from microstage_runner.session import Session, make_stage

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return the training that goes on."""
    return up_to(session, _training(session))


def command(session: Session) -> None:
    """Go on with the training RUN= from its last whole epoch; show it if it is finished."""
    make_stage(session, _training(session))


def _training(session: Session) -> str:
    """Return the stage that trains; raise `ParameterError` where no training was chosen."""
    if session.again is None:
        raise ParameterError("RUN= is missing: which training is to go on? `make runs` lists them.")
    return of_role(session.stages, TRAINING)
