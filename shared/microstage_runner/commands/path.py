"""`make path STAGE=`: print the folder of the selected artefact, nothing else."""

from __future__ import annotations

from microstage.errors import ArtefactError
from microstage_runner.commands.planned import Planned
from microstage_runner.pipeline.step import PublishedStep
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return no run: nothing is made to look at a folder."""
    session.stage()
    return []


def command(session: Session) -> None:
    """Print the folder of STAGE=; if the artefact is published, hash every file in it first."""
    target = session.stage()
    *_, last = session.pipeline().steps(target)
    if last.stage.name != target:
        raise ArtefactError(f"{target} has no folder yet: {last.stage.name} is not done; `make {target}` does both.")
    folder = session.store.folder(target, last.about["key"])
    print(last.artefact.checked() if isinstance(last, PublishedStep) else folder)
