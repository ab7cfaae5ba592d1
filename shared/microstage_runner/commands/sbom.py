"""`make sbom`: bills of materials and licences of the environment of STAGE=, or of every stage's and the report's."""

from __future__ import annotations

from microstage_runner.artefacts.sbom import show, show_environment
from microstage_runner.engines.report_environment import LOCK, report_environment
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Print where the bills are, and every licence."""
    chosen = [session.stages[session.stage()]] if "STAGE" in session.typed else session.stages.values()
    show(chosen, session.pipeline().backend, session.store)
    if "STAGE" not in session.typed:
        show_environment("report", report_environment(session.volumes), LOCK)
