"""`make prove MODEL=... CYCLES=0.25,0.5`: the C that the stages wrote beside its integer reference, on random vectors.

The proof itself is tests/cbackend/prove.py, in the environment of the tests beside it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from microstage.errors import ParameterError
from microstage.files.canonical import write_json
from microstage_bench.names import NETWORKS
from microstage_runner.commands.asked import Asked, number
from microstage_runner.commands.measured import planned_of, steps_of
from microstage_runner.commands.planned import Planned
from microstage_runner.commands.prove_random import prove_random
from microstage_runner.commands.suite_environment import environment_of
from microstage_runner.declarations.family_modules import family_module
from microstage_runner.declarations.stages import CODE, INTEGERS, TRAINING
from microstage_runner.engines.local import LocalBackend
from microstage_runner.pipeline.step import PublishedStep

__all__ = ["command", "planned"]


def planned(typed: dict[str, str], repository: Path) -> list[Planned | str]:
    """Return the run of every network that was asked for; random ones go another way, which leaves no artefact."""
    if "RANDOM" in typed:
        return []
    _numbers(typed)
    return planned_of(Asked.read(typed, NETWORKS))


def command(typed: dict[str, str], repository: Path) -> int:
    """Prove the networks that were asked for, or RANDOM= ones; return the exit code of the proof."""
    if "RANDOM" in typed:
        return prove_random(typed, repository)
    asked, options = Asked.read(typed, NETWORKS), _numbers(typed)
    script = repository / "tests" / "cbackend" / "prove.py"
    with tempfile.TemporaryDirectory(prefix="microstage-prove.") as scratch:
        made = steps_of(asked, Path(scratch))
        networks = [
            json.dumps([one.name, *(str(steps[role].artefact.checked()) for role in (INTEGERS, CODE))])
            for one, steps in made
        ]
        local = LocalBackend(repository, asked[0].session({}).volumes)
        python, environment = environment_of(script.parent, local, Path(scratch))
        code = subprocess.run([str(python), str(script), *options, *networks], env=environment).returncode
        hearing = _hearing(made, Path(scratch))
        if code or not hearing:
            return code
        sound = script.with_name("prove_sound.py")
        return subprocess.run([str(python), str(sound), *map(str, hearing)], env=environment).returncode


def _numbers(typed: Mapping[str, str]) -> list[str]:
    """Return the options of the proof."""
    if "DEPTH" in typed:
        raise ParameterError(f"DEPTH={typed['DEPTH']} goes with RANDOM=: leave it out.")
    return [f"--vectors={number(typed, 'VECTORS', 10000)}", f"--seconds={number(typed, 'SECONDS', 30)}"]


def _hearing(made: Sequence[tuple[Asked, Mapping[str, PublishedStep]]], scratch: Path) -> list[Path]:
    """Write what tests/cbackend/prove_sound.py reads, of each network whose C hears and whose family has clips of
    sound.
    """
    found = []
    for place, (one, steps) in enumerate(made):
        c, training = steps[CODE].artefact.checked(), steps.get(TRAINING)
        if training is None or not list(c.glob("*_features.c")):
            continue
        parameters, data = training.about["parameters"], training.inputs.get("data")
        if family_module(parameters["model"], "clips"):
            told = {"name": one.name, "graphs": str(steps[INTEGERS].artefact.checked()), "c": str(c)}
            found.append(scratch / f"clips_{place}.json")
            write_json(found[-1], {**told, "parameters": parameters, "data": data and str(data.checked())})
    return found
