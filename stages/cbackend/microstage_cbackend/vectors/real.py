"""Take real inputs and the reference's real answers from golden.npz, on which the float functions are compared.

They are `real.<input>` and `real.<output>` there.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from microstage.errors import ArtefactError
from microstage_cbackend.program.model import Model, SteppedModel
from microstage_cbackend.program.recurrent import NetworkEnds

__all__ = ["PREFIX", "RealVectors", "real_vectors"]

PREFIX = "real."


@dataclass
class RealVectors:
    """Hold float32 [vectors, ...] by the names of the network's inputs and outputs."""

    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]

    @property
    def bits(self) -> dict[str, np.ndarray]:
        """Return boundary -> the patterns of bits, as integers: the self test reads nothing else."""
        return {f"{PREFIX}{name}": values.view(np.int32) for name, values in {**self.inputs, **self.outputs}.items()}


def real_vectors(model: Model, golden: dict[str, np.ndarray], length: int = 1) -> RealVectors | None:
    """Return those of `golden`, whose records have `length` steps, None where an input or output has none.

    Raises `ArtefactError` for some that are no finite numbers, or too few.
    """
    if model.ends is None:
        return None
    if isinstance(model.recurrent, SteppedModel):
        inputs, outputs = _of_steps(model.recurrent, length)
    else:
        inputs, outputs = _of_ends(model, model.ends)
    if not inputs or any(f"{PREFIX}{name}" not in golden for name in {**inputs, **outputs}):
        return None
    for name, size in {**inputs, **outputs}.items():
        values = golden[f"{PREFIX}{name}"]
        if values.dtype != np.float32 or not np.isfinite(values).all() or prod(values.shape[1:]) != size:
            found = f"{values.dtype} {list(values.shape)}"
            raise ArtefactError(
                f"{PREFIX}{name} of golden.npz is {found}; expected finite float32 numbers, {size} in each vector."
            )
    return RealVectors(*({name: golden[f"{PREFIX}{name}"] for name in side} for side in (inputs, outputs)))


def _of_ends(model: Model, ends: NetworkEnds) -> tuple[dict[str, int], dict[str, int]]:
    """Return {real input: values of a vector}, {output: values}."""
    return {name: t.size for name, (t, *_) in model.real_inputs().items()}, {name: t.size for name, t in ends.outputs}


def _of_steps(recurrent: SteppedModel, length: int) -> tuple[dict[str, int], dict[str, int]]:
    """Return the sizes of a record's waveform and of the answers to its steps; nothing where no mean answers."""
    if not recurrent.mean or not recurrent.gain or len(recurrent.step_inputs) != 1:
        return {}, {}
    ((_, waveform),), (window,) = recurrent.gain.inputs.items(), recurrent.step_inputs
    answer = recurrent.gain.outputs.get(recurrent.mean.name, recurrent.mean.name)
    return {waveform: length * window.size}, {answer: length * recurrent.computed[recurrent.mean.count].size}
