"""`make docs [OPEN=1]`: the pages as a site, to be read from its folder; a link that leads nowhere ends it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from microstage.errors import MicrostageError
from microstage_runner.commands.opening import is_to_open, open_page
from microstage_runner.commands.planned import Planned
from microstage_runner.engines.local import Environments

__all__ = ["command", "planned", "site_environment"]

_QUIET = {"NO_MKDOCS_2_WARNING": "1"}  # of another program's future


def planned(typed: dict[str, str], repository: Path) -> list[Planned]:
    """Return no run: pages are read."""
    is_to_open(typed)
    return []


def command(typed: dict[str, str], repository: Path) -> None:
    """Build the site and print where it begins."""
    opening = is_to_open(typed)
    python = site_environment(repository)
    build = [str(python), "-m", "mkdocs", "build", "--strict"]
    if subprocess.run(build, cwd=repository, env={**os.environ, **_QUIET}, stdin=subprocess.DEVNULL).returncode:
        raise MicrostageError("The site was not built: the lines above say which link leads nowhere.")
    page = repository / "volumes" / "site" / "index.html"
    if opening:
        open_page(page)
    print(f"page: {page}")


def site_environment(repository: Path) -> Path:
    """Return the Python that builds the site, and runs the notebook."""
    folder = repository / "tests" / "site"
    version = (folder / ".python-version").read_text().strip()
    return Environments(repository / "volumes" / ".env").ensure(version, folder / "requirements.lock")
