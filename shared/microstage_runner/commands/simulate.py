"""`make simulate MODEL=...`: FINN's C++ and RTL of every hardware layer beside the golden vectors, without Vivado.

The network goes through its stages first, where it has not. The simulation is `microstage_streamline.simulate`, in the
environment of that stage's tests, which has headers that the stage itself does not need.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.commands.planned import Planned, up_to
from microstage_runner.commands.suite_environment import environment_of
from microstage_runner.declarations.stages import INTEGERS, of_role
from microstage_runner.engines.local import LocalBackend
from microstage_runner.session import Session

__all__ = ["command", "planned"]

_MODULE = "microstage_streamline.simulate"
_KERNELS = "bnn-library.h"


def planned(session: Session) -> list[Planned]:
    """Return the run whose layers are simulated."""
    _kernels(session.typed)
    return up_to(session, of_role(session.stages, INTEGERS))


def command(session: Session) -> int:
    """Simulate every layer, and print a table for each graph; return the exit code, 3 where an integer differs."""
    kernels = _kernels(session.typed)
    stage = of_role(session.stages, INTEGERS)
    last = session.pipeline(loud=True).run(stage)[-1]
    with tempfile.TemporaryDirectory(prefix="microstage-simulate.") as scratch:
        local = LocalBackend(session.repository, session.volumes)
        tests = session.repository / "tests" / stage
        python, environment = environment_of(tests, local, Path(scratch))
        words = [str(python), "-m", _MODULE, str(last.artefact.checked()), *kernels]
        return subprocess.run(words, env=environment).returncode


def _kernels(typed: Mapping[str, str]) -> list[str]:
    """Return the option for FINN_HLSLIB=, where it was typed; `ParameterError` for a folder of something else."""
    if "FINN_HLSLIB" not in typed:
        return []
    folder = Path(typed["FINN_HLSLIB"]).resolve()
    if not (folder / _KERNELS).is_file():
        raise ParameterError(
            f"FINN_HLSLIB={typed['FINN_HLSLIB']} has no {_KERNELS}: expected a folder of finn-hlslib's sources."
        )
    return ["--hlslib", str(folder)]
