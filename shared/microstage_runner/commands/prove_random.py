"""`make prove RANDOM=2000`: random networks all the way from ONNX to C (tests/road/random_road.py), in streamline's environment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from microstage.errors import ParameterError
from microstage_runner.cli import REPOSITORY, Session
from microstage_runner.commands.measured import number
from microstage_runner.declarations.stages import load_stages
from microstage_runner.engines.local import LocalBackend

__all__ = ["prove_random"]

_USUAL = {"RANDOM": 40, "SEED": 1, "DEPTH": 60}
_MACHINE = ("VOLUMES", "RUNNER", "VENDOR")


def prove_random(typed: Mapping[str, str]) -> int:
    """Exit code of a walk of RANDOM networks of the seeds from SEED on, of up to DEPTH layers; what is kept is below VOLUMES."""
    for name, value in typed.items():
        if name not in (*_USUAL, *_MACHINE):
            raise ParameterError(f"{name}={value} is nothing that `make prove RANDOM=` uses: leave it out.")
    numbers = [str(number(typed, name, usual)) for name, usual in _USUAL.items()]
    volumes = Session(REPOSITORY, {"VOLUMES": typed["VOLUMES"]} if "VOLUMES" in typed else {}).volumes
    stages = load_stages(REPOSITORY)
    first = stages["streamline"]
    python = LocalBackend(REPOSITORY, volumes).environments.ensure(first.python, first.folder / "requirements.lock")
    sources = [REPOSITORY / "shared", first.folder, stages["cbackend"].folder]
    around = {"PYTHONPATH": os.pathsep.join(map(str, sources)), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    script = REPOSITORY / "tests" / "road" / "random_road.py"
    return subprocess.run(
        [str(python), str(script), str(volumes / "random-networks"), *numbers], env={**os.environ, **around}
    ).returncode
