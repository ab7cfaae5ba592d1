"""`make sbom`: bills of materials and licences of the environment of STAGE=, or of every stage's."""

from __future__ import annotations

from microstage_runner.artefacts.sbom import show
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Print where the bills are, and every licence."""
    chosen = [session.stages[session.stage()]] if "STAGE" in session.typed else session.stages.values()
    show(chosen, session.pipeline().backend, session.store)
