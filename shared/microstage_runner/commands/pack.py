"""`make pack STAGE=`: one file with all that the stage needs on another machine."""

from __future__ import annotations

from pathlib import Path

from microstage_runner.bundles.pack import pack
from microstage_runner.session import Session

__all__ = ["command"]


def command(session: Session) -> None:
    """Write the bundle BUNDLE= of STAGE=, with its image if IMAGE=1, and print where it is."""
    path = session.typed.get("BUNDLE")
    image = session.typed.get("IMAGE") == "1"
    print(pack(session.pipeline(), session.stage(), Path(path) if path else None, image))
