"""`make prove MODEL=... CYCLES=0.25,0.5`: the C that the stages wrote beside their integer reference on random vectors (tests/cbackend/prove.py)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from microstage import models
from microstage.files.canonical import write_json
from microstage_bench.names import NETWORKS
from microstage_runner.cli import REPOSITORY, split_words
from microstage_runner.commands.measured import Asked, number, steps_of
from microstage_runner.commands.prove_random import prove_random
from microstage_runner.commands.tests import environment_of
from microstage_runner.engines.local import LocalBackend
from microstage_runner.pipeline.pipeline import Step

__all__ = ["main"]


def main(words: Sequence[str]) -> int:
    """Exit code of the proof that NAME=VALUE `words` ask for."""
    typed = split_words(words)
    if "RANDOM" in typed:
        return prove_random(typed)
    asked = Asked.read("prove", typed, NETWORKS)
    options = [f"--vectors={number(typed, 'VECTORS', 10000)}", f"--seconds={number(typed, 'SECONDS', 30)}"]
    script = REPOSITORY / "tests" / "cbackend" / "prove.py"
    with tempfile.TemporaryDirectory(prefix="microstage-prove.") as scratch:
        made = steps_of(asked, "cbackend", Path(scratch))
        networks = [
            json.dumps([one.name, *(str(steps[stage].artefact.checked()) for stage in ("streamline", "cbackend"))])
            for one, steps in made
        ]
        python, environment = environment_of(
            script.parent, LocalBackend(REPOSITORY, asked[0].session({}).volumes), Path(scratch)
        )
        code = subprocess.run([str(python), str(script), *options, *networks], env=environment).returncode
        hearing = _hearing(made, Path(scratch))
        if code or not hearing:
            return code
        sound = script.with_name("prove_sound.py")
        return subprocess.run([str(python), str(sound), *map(str, hearing)], env=environment).returncode


def _hearing(made: Sequence[tuple[Asked, Mapping[str, Step]]], scratch: Path) -> list[Path]:
    """What tests/cbackend/prove_sound.py reads, of each network whose C hears and whose family has clips of sound."""
    found = []
    for place, (one, steps) in enumerate(made):
        c, train = steps["cbackend"].artefact.checked(), steps.get("train")
        if train is None or not list(c.glob("*_features.c")) or not _has_clips(train.about["parameters"]["model"]):
            continue
        told = {"name": one.name, "graphs": str(steps["streamline"].artefact.checked()), "c": str(c)}
        data = train.inputs.get("data")
        found.append(scratch / f"clips_{place}.json")
        write_json(found[-1], {**told, "parameters": train.about["parameters"], "data": data and str(data.checked())})
    return found


def _has_clips(model: str) -> bool:
    known = models.models()
    return model in known and importlib.util.find_spec(f"{known[model].__name__}.clips") is not None
