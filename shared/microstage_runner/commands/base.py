"""`make base`: build stand-in base images where no registry is reachable."""

from __future__ import annotations

from microstage_runner.engines.images import Images
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Build a stand-in for every base image that the stages are built on."""
    Images(session.repository, session.volumes).build_bases()
