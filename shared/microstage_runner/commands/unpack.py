"""`make unpack BUNDLE=`: run a bundle's stage here, or publish the artefact that came home."""

from __future__ import annotations

from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.bundles.unpack import unpack
from microstage_runner.commands.planned import Planned
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return no run that is known before the bundle is opened."""
    _bundle(session)
    return []


def command(session: Session) -> None:
    """Do what BUNDLE= is for, and print what was done."""
    path = _bundle(session)
    runner, trust = session.typed.get("RUNNER", "auto"), session.typed.get("TRUST") == "1"
    print(unpack(path, session.store, session.repository, runner, trust))


def _bundle(session: Session) -> Path:
    path = Path(session.typed.get("BUNDLE", ""))
    if not path.is_file():
        raise ParameterError(f"BUNDLE={path if 'BUNDLE' in session.typed else ''} is no file; `make pack` writes one.")
    return path
