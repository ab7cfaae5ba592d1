"""`make package-check`: what PlatformIO's and Espressif's own packers make of the C of one network."""

from __future__ import annotations

import subprocess

from microstage_runner.commands.planned import Planned, up_to
from microstage_runner.declarations.stages import CODE, of_role
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return the run whose C is packed."""
    return up_to(session, of_role(session.stages, CODE))


def command(session: Session) -> int:
    """Make the C, and return the exit code of the check of it."""
    *_, last = session.pipeline(loud=True).run(of_role(session.stages, CODE))
    script = session.repository / "tests" / "cbackend" / "package-check"
    return subprocess.run(["bash", str(script), str(last.artefact.checked())]).returncode
