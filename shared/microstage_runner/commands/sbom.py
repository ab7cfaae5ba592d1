"""`make sbom`: bills of materials and licences of the environment of STAGE=, or of every stage's and the report's, and
of those for sweeps and tracking servers where they have been made.
"""

from __future__ import annotations

from microstage_runner.artefacts.sbom import show, show_environment
from microstage_runner.engines.local import Environments
from microstage_runner.engines.report_environment import LOCK, PYTHON, TRACKING_LOCK, report_environment
from microstage_runner.session import Session
from microstage_runner.sweeping import snakemake_engine

__all__ = ["command"]

_ON_DEMAND = {"sweeps": snakemake_engine.LOCK, "tracking": TRACKING_LOCK}
"Environments that their first use makes, by what they are for."


def command(session: Session) -> None:
    """Print where the bills are, and every licence."""
    show(session.chosen(), session.pipeline().backend, session.store)
    if "STAGE" not in session.typed:
        show_environment("report", report_environment(session.volumes), LOCK)
        for purpose, lock in _ON_DEMAND.items():
            python = Environments(session.volumes / ".env").place(PYTHON, lock)
            if python.exists():
                show_environment(purpose, python, lock)
