"""`make resume RUN=`: go on with a training that was cut off."""

from __future__ import annotations

from microstage.errors import ParameterError
from microstage_runner.declarations.stages import TRAINING, of_role
from microstage_runner.session import Session, make_stage

__all__ = ["command"]


def command(session: Session) -> None:
    """Go on with the training RUN= from its last whole epoch; show it if it is finished."""
    if session.again is None:
        raise ParameterError("RUN= is missing: which training is to go on? `make runs` lists them.")
    make_stage(session, of_role(session.stages, TRAINING))
