"""`make footprint`: what the C that the stages wrote takes of other machines (microstage_bench.footprint), in the
rivals' environment.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from microstage.errors import ParameterError
from microstage_bench.names import FOOTPRINT, MEASURED, VECTORS
from microstage_runner.commands.asked import Asked, listed
from microstage_runner.commands.measured import benchmarks, environment, planned_of, steps_of, write_subjects
from microstage_runner.commands.planned import Planned

__all__ = ["command", "planned"]


def planned(typed: dict[str, str], repository: Path) -> list[Planned | str]:
    """Return the run of every network that was asked for."""
    listed(typed, "MACHINE", MEASURED, VECTORS)
    _library(typed)
    return planned_of(Asked.read(typed, FOOTPRINT))


def command(typed: dict[str, str], repository: Path) -> int:
    """Measure the networks that were asked for: where none is named, all drawn ones."""
    asked, machines = Asked.read(typed, FOOTPRINT), listed(typed, "MACHINE", MEASURED, VECTORS)
    library = _library(typed)
    with tempfile.TemporaryDirectory(prefix="microstage-footprint.") as scratch:
        subjects = write_subjects(steps_of(asked, Path(scratch)), Path(scratch))
        words = [str(subjects), "--machines", ",".join(machines), *library]
        return benchmarks(environment(asked[0].session({})), "footprint", *words)


def _library(typed: dict[str, str]) -> list[str]:
    """Return the option that names the user's folder of CMSIS-NN; `ParameterError` for one that is none."""
    if "AGAINST" not in typed:
        return []
    folder = Path(typed["AGAINST"])
    if not (folder / "Include" / "arm_nnfunctions.h").is_file():
        raise ParameterError(
            f"AGAINST={folder} is no folder of CMSIS-NN: expected Include/arm_nnfunctions.h in it,"
            " as in a clone of ARM-software/CMSIS-NN."
        )
    return ["--against", str(folder.resolve())]
