"""`make python STAGE=train SCRIPT=my.py ARGS="...": a script of the user's own in the environment of a stage.

It is run in its own folder, where it may read and write; `microstage` and the stage's package can be imported. The
container of a stage sees that folder alone, as /work, and no network.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.artefacts.places import Place
from microstage_runner.commands.planned import Planned
from microstage_runner.engines import backend
from microstage_runner.engines.script_run import ScriptRun
from microstage_runner.session import Session

__all__ = ["command", "planned"]


def planned(session: Session) -> list[Planned]:
    """Return no run: a script needs the environment alone."""
    session.stage()
    _script(session.typed.get("SCRIPT"))
    _words(session.typed.get("ARGS", ""))
    return []


def command(session: Session) -> int:
    """Return the exit code of the script."""
    stage = session.stages[session.stage()]
    script = _script(session.typed.get("SCRIPT"))
    arguments = _words(session.typed.get("ARGS", ""))
    chosen, why = backend.choose(session.typed.get("RUNNER", "auto"), session.repository, session.volumes)
    if session.typed.get("RUNNER", "auto") == "auto":
        print(f"runner: {chosen.name} ({why})", flush=True)
    with Place(session.volumes, "script") as scratch:
        code = chosen.run_script(ScriptRun(stage, script, arguments, scratch))
    return code if code >= 0 else 128 - code  # a signal's, as shells have it


def _script(text: str | None) -> Path:
    if not text:
        raise ParameterError("SCRIPT= is missing: a file of Python that is to be run.")
    if not Path(text).is_file():
        raise ParameterError(f"SCRIPT={text} is no file.")
    return Path(text).resolve()


def _words(text: str) -> list[str]:
    """Return the arguments as a shell would split them."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ParameterError(f"ARGS={text} cannot be split into words: {str(error).lower()}.") from None
