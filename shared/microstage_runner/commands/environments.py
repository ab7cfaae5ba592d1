"""`make environments [STAGE=]`: make every stage's virtual environment now, rather than when the stage first runs."""

from __future__ import annotations

from microstage_runner.engines.local import LocalBackend
from microstage_runner.engines.report_environment import report_environment
from microstage_runner.session import Session
from microstage_runner.signing import environment

__all__ = ["command"]


def command(session: Session) -> None:
    """Make every stage's environment, the one of the program that signs, and the one that renders pages.

    An optional stage has one where STAGE= names it.
    """
    local = LocalBackend(session.repository, session.volumes)
    for stage in session.chosen():
        print(f"{stage.name}: Python {local.platform(stage)['python']}")
    print(f"signatures: {environment(session.volumes).parent.parent.name}")
    print(f"report: {report_environment(session.volumes).parent.parent.name}")
