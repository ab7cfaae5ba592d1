"""The integer reference: the interpreter on the parts, free running over whole sequences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx

from microstage.integer import Interpreter
from microstage.integer.sequence import batches, integers, run_sequence
from microstage_qcdq.boundaries import boundaries, recorded_name

__all__ = ["run_feed_forward", "run_recurrent"]


def run_recurrent(parts: Mapping[str, onnx.ModelProto], windows: np.ndarray) -> dict[str, np.ndarray]:
    """Integers of every boundary for `windows` int8 [n, N], in the smallest type that holds them; `window` included."""
    record = {part: [b.name for b in boundaries(part, model)] for part, model in parts.items()}
    interpreters = {part: Interpreter(model) for part, model in parts.items()}
    found = run_sequence(interpreters, windows, record)
    return {"window": windows, **{recorded_name(name): _smallest(value) for name, value in found.items()}}


def run_feed_forward(part: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """As above for one part; `inputs` by name are included."""
    interpreter, record = Interpreter(part), [b.name for b in boundaries("model", part)]
    runs = [{name: _smallest(integers(v)) for name, v in interpreter.run(batch, record).items()} for batch in batches(inputs)]
    return {**inputs, **{name: _smallest(np.concatenate([run[name] for run in runs])) for name in runs[0]}}


def _smallest(values: np.ndarray) -> np.ndarray:
    for kind in (np.int8, np.uint8, np.int16, np.int32):
        if values.min() >= np.iinfo(kind).min and values.max() <= np.iinfo(kind).max:
            return values.astype(kind)
    return values
