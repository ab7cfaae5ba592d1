"""`make docs-check [ONLY=comtrade,notebook]`: type every command of the tutorials in a fresh clone, and time each.

What is committed is cloned; environments that are here already are used, so that a tutorial's own time is seen.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from microstage.errors import MicrostageError, ParameterError
from microstage.process.text_table import table
from microstage_runner.commands.docs import site_environment
from microstage_runner.commands.planned import Planned

__all__ = ["command", "planned"]

_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
_FOLDER = Path("docs") / "tutorials"


@dataclass(frozen=True)
class Timed:
    """Commands of one tutorial that a reader copies at once: how long they took, and whether they ended well."""

    page: str
    commands: str
    seconds: float
    passed: bool

    @property
    def row(self) -> list[str]:
        first = self.commands.strip().splitlines()[0]
        return [self.page, first[:70], f"{self.seconds:.0f}", "" if self.passed else "FAILED"]


def planned(typed: dict[str, str], repository: Path) -> list[Planned | str]:
    """Return the tutorials that would be followed; what their commands run is not known before."""
    return [f"every command of {page}" for page in _chosen(repository, typed.get("ONLY", ""))]


def command(typed: dict[str, str], repository: Path) -> int:
    """Run the tutorials named in ONLY=, or all of them; return 1 if a command of one fails."""
    pages = _chosen(repository, typed.get("ONLY", ""))
    done = [timed for page in pages for timed in _followed(repository, page)]
    print("\n" + "\n".join(table(["tutorial", "commands", "seconds", ""], [timed.row for timed in done])))
    for page in pages:
        seconds = sum(timed.seconds for timed in done if timed.page == page.stem)
        print(f"{page.stem}: {seconds:.0f} s on {len(os.sched_getaffinity(0))} cores")
    return 0 if all(timed.passed for timed in done) else 1


def _chosen(repository: Path, only: str) -> list[Path]:
    """Return the tutorials, by their paths from the root."""
    known = {path.stem: _FOLDER / path.name for path in sorted((repository / _FOLDER).iterdir())}
    names = [name for name in only.split(",") if name] or list(known)
    for name in names:
        if name not in known:
            raise ParameterError(f"ONLY={only}: {name} is not a tutorial; expected some of {', '.join(known)}.")
    return [known[name] for name in names]


def _followed(repository: Path, page: Path) -> Iterator[Timed]:
    """Yield what each step of a tutorial took, up to the first that fails."""
    with tempfile.TemporaryDirectory(prefix="microstage-docs.") as scratch:
        clone = _cloned(repository, Path(scratch) / "microstage")
        for commands in _steps(clone, page):
            print(f"\n{page.stem}: {commands.strip()}", flush=True)
            began = time.monotonic()
            code = _run(commands, clone, site_environment(repository))
            seconds = time.monotonic() - began
            print(f"{page.stem}: {seconds:.0f} s", flush=True)
            yield Timed(page.stem, commands, seconds, code == 0)
            if code:
                return


def _cloned(repository: Path, place: Path) -> Path:
    if subprocess.run(["git", "clone", "--quiet", str(repository), str(place)], stdin=subprocess.DEVNULL).returncode:
        raise MicrostageError(f"{repository} cannot be cloned; git's own message is above.")
    (place / "volumes" / ".env").symlink_to((repository / "volumes" / ".env").resolve())
    return place


def _steps(clone: Path, page: Path) -> list[str]:
    """Return what a reader types: the blocks of a page, or the run of a whole notebook."""
    if page.suffix != ".ipynb":
        return _BLOCK.findall((clone / page).read_text())
    return [f'"$SITE" docs/site/run_notebook.py {page}']


def _run(commands: str, clone: Path, site: Path) -> int:
    """Type some commands in the clone; `site` is the Python that runs notebooks."""
    around = {**os.environ, "PYTHONPATH": str(clone / "shared"), "SITE": str(site)}
    return subprocess.run(["bash", "-euo", "pipefail", "-c", commands], cwd=clone, env=around).returncode
