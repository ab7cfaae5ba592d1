"""`make prove RANDOM=2000`: random networks all the way from ONNX to C (tests/road/random_road.py), in the environment
of their first stage.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from microstage.errors import ParameterError
from microstage_runner.commands.asked import number
from microstage_runner.declarations.checkout import load_stages
from microstage_runner.declarations.stages import CODE, INTEGERS, of_role
from microstage_runner.engines.local import LocalBackend
from microstage_runner.session import Session

__all__ = ["prove_random"]

_USUAL = {"RANDOM": 40, "SEED": 1, "DEPTH": 60}
_MACHINE = ("VOLUMES", "RUNNER", "VENDOR")


def prove_random(typed: Mapping[str, str], repository: Path) -> int:
    """Return the exit code of a walk of RANDOM networks of the seeds from SEED on, of up to DEPTH layers; what is kept
    is below VOLUMES.
    """
    for name, value in typed.items():
        if name not in (*_USUAL, *_MACHINE):
            raise ParameterError(f"{name}={value} is nothing that `make prove RANDOM=` uses: leave it out.")
    numbers = [str(number(typed, name, usual)) for name, usual in _USUAL.items()]
    volumes = Session(repository, {"VOLUMES": typed["VOLUMES"]} if "VOLUMES" in typed else {}).volumes
    stages = load_stages(repository)
    first, last = stages[of_role(stages, INTEGERS)], stages[of_role(stages, CODE)]
    python = LocalBackend(repository, volumes).environments.ensure(first.python, first.folder / "requirements.lock")
    sources = [repository / "shared", first.folder, last.folder]
    around = {"PYTHONPATH": os.pathsep.join(map(str, sources)), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    script = repository / "tests" / "road" / "random_road.py"
    return subprocess.run(
        [str(python), str(script), str(volumes / "random-networks"), *numbers], env={**os.environ, **around}
    ).returncode
