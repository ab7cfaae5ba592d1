"""`make images [STAGE=]`: build every stage's container image."""

from __future__ import annotations

from microstage_runner.engines.images import Images
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Build every image that is not here yet; that of an optional stage where STAGE= names it."""
    Images(session.repository, session.volumes).build_images(stage.name for stage in session.chosen())
