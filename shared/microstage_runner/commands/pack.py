"""`make pack STAGE=`: one file with all that the stage needs on another machine."""

from __future__ import annotations

from pathlib import Path

from microstage_runner.bundles.pack import pack
from microstage_runner.commands.planned import Planned, up_to
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return the runs that STAGE= reads, which goes into the bundle."""
    sources = session.stages[session.stage()].inputs.values()
    return up_to(session, *(name for name in sources if name in session.stages))


def command(session: Session) -> None:
    """Write the bundle BUNDLE= of STAGE=, with its image if IMAGE=1, and print where it is."""
    path = session.typed.get("BUNDLE")
    image = session.typed.get("IMAGE") == "1"
    print(pack(session.pipeline(), session.stage(), Path(path) if path else None, image))
