"""`Artefact.trace`: every tensor of the integer network, computed where the stage that made it runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from microstage.errors import ParameterError
from microstage_runner.artefacts.artefact import Artefact
from microstage_runner.artefacts.places import Place
from microstage_runner.calling.arrays import Given, given_arrays
from microstage_runner.calling.prediction import expected_inputs
from microstage_runner.declarations.stages import CODE, INTEGERS
from microstage_runner.engines.stage_run import StageRun

__all__ = ["trace"]

_MODULE = "microstage.tracing"


def trace(artefact: Artefact, x: Any) -> dict[str, np.ndarray]:
    """Return the tensors that `x` makes, as `Artefact.trace` says."""
    made = {step.stage.role: step for step in artefact.steps}
    if INTEGERS not in made or CODE not in made:
        raise ParameterError(
            'trace needs an artefact that microstage.compile(..., target="cbackend") has just returned.'
        )
    given = given_arrays(x, expected_inputs(artefact, x))
    found = _run(artefact, made[INTEGERS], given)
    return {place: given.as_given(values) for place, values in found.items()}


def _run(artefact: Artefact, step: Any, given: Given) -> dict[str, np.ndarray]:
    pipeline = artefact.pipeline
    with Place(pipeline.store.volumes, "trace") as place:
        inputs, output, scratch = (place / name for name in ("inputs", "output", "scratch"))
        for folder in (inputs, output, scratch):
            folder.mkdir()
        np.savez(inputs / "inputs.npz", **given.arrays)
        folders = {"integers": step.artefact.checked(), "given": inputs}
        code = pipeline.backend.run(StageRun(step.stage, folders, {}, output, scratch, _MODULE))
        if code:
            raise pipeline.store.failed("trace", scratch, code, "Nothing was traced; the reason is above.")
        with np.load(output / "trace.npz", allow_pickle=False) as found:
            return {name: found[name] for name in found.files}
