"""The integer reference: the interpreter on the parts, free running over whole sequences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from microstage.integer import Interpreter
from microstage.integer.sequence import batches, integers, run_in_batches, run_sequence
from microstage.interface.recurrence import Recurrence
from microstage.signals.settle import Settling
from microstage_qcdq.graph.boundaries import boundaries

__all__ = ["answers_of", "run_reference"]

Parts = Mapping[str, onnx.ModelProto]


def run_reference(
    parts: Parts, sequence: Recurrence | None, inputs: Mapping[str, np.ndarray], settling: Settling | None = None
) -> dict[str, np.ndarray]:
    """Return the integers of every boundary for `inputs` [n, ...], those included.

    They have the smallest type that holds them.
    """
    record = {name: [b.name for b in boundaries(name, part)] for name, part in parts.items()}
    interpreters = {name: Interpreter(part) for name, part in parts.items()}
    if sequence is not None:
        found = run_sequence(sequence, interpreters, inputs, record, settling)
        return {**inputs, **{name: _smallest(value) for name, value in found.items()}}
    ((name, interpreter),) = interpreters.items()
    runs = [
        {tensor: _smallest(integers(v)) for tensor, v in interpreter.run(batch, record[name]).items()}
        for batch in batches(inputs)
    ]
    return {**inputs, **{tensor: _smallest(np.concatenate([run[tensor] for run in runs])) for tensor in runs[0]}}


def answers_of(parts: Parts, sequence: Recurrence | None, inputs: Mapping[str, np.ndarray], output: str) -> np.ndarray:
    """Return the integers of the network's `output` alone."""
    interpreters = {name: Interpreter(part) for name, part in parts.items()}
    if sequence is not None:
        return run_sequence(sequence, interpreters, inputs)[output]
    (interpreter,) = interpreters.values()
    return integers(run_in_batches(interpreter, inputs, output))


def _smallest(values: np.ndarray) -> np.ndarray:
    for kind in (np.int8, np.uint8, np.int16, np.int32):
        if values.min() >= np.iinfo(kind).min and values.max() <= np.iinfo(kind).max:
            return values.astype(kind)
    return values
