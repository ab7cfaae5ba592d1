"""`make report`: the closing table of the selected run."""

from __future__ import annotations

from microstage_runner.pipeline.summary import summary
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Print the selected run as a table."""
    print(summary(session.published()))
