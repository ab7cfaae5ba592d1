"""Random inputs of the graphs that streamline wrote, and what the integer reference makes of them at every boundary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from microstage.integer import Interpreter
from microstage.integer.sequence import integers, run_sequence
from microstage.interface import golden
from microstage.untrusted.onnx_file import read_onnx
from microstage_cbackend.generate import graphs_of
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.model import Model, SteppedModel

__all__ = ["random_vectors"]

_BATCH = 50
_NEAR = 3
"""How far from a golden vector every second batch goes: noise alone would leave a trained network's deeper layers at
rest."""


def random_vectors(model: Model, folder: Path, count: int) -> dict[str, np.ndarray]:
    """{boundary: integers [count, ...]} of the graphs in `folder`; the first two vectors lie at the ends of their
    range."""
    parts = {part: Interpreter(read_onnx(path)) for part, path in graphs_of(folder).items()}
    feeds = _inputs(model, golden.load(folder / golden.FILE), count)
    found = [{**batch, **_answers(model, parts, batch)} for batch in feeds]
    return {boundary: np.concatenate([f[boundary] for f in found]) for boundary in found[0]}


def _inputs(model: Model, vectors: Mapping[str, np.ndarray], count: int) -> Iterator[dict[str, np.ndarray]]:
    """Batches of the network's inputs: noise over the whole range and, in turn with it, what is near to golden
    vectors."""
    taken = model.recurrent.inputs if model.recurrent else model.parts[0].inputs
    for start in range(0, count, _BATCH):
        random, rows = np.random.default_rng(start), min(_BATCH, count - start)
        draw = _noise if start // _BATCH % 2 == 0 else _near
        feeds = {tensor.name: draw(tensor, vectors[tensor.name], rows, random) for tensor in taken}
        for tensor in taken if start == 0 else ():
            feeds[tensor.name][:1], feeds[tensor.name][1:2] = tensor.low, tensor.high
        yield feeds


def _noise(tensor: Tensor, known: np.ndarray, rows: int, random: np.random.Generator) -> np.ndarray:
    return random.integers(tensor.low, tensor.high + 1, (rows, *known.shape[1:]))


def _near(tensor: Tensor, known: np.ndarray, rows: int, random: np.random.Generator) -> np.ndarray:
    chosen = known[random.integers(0, len(known), rows)].astype(np.int64)
    return np.clip(chosen + random.integers(-_NEAR, _NEAR + 1, chosen.shape), tensor.low, tensor.high)


def _answers(model: Model, parts: Mapping[str, Interpreter], feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every boundary of one part, or of whole sequences from states of zero."""
    if model.recurrent is not None:
        settling = model.recurrent.settling if isinstance(model.recurrent, SteppedModel) else None
        return run_sequence(model.recurrent.sequence, parts, feeds, settling=settling)
    (interpreter,) = parts.values()
    fed = {name: feeds[name].reshape(-1, *shape[1:]) for name, shape in interpreter.shapes.items()}
    return {name: integers(value) for name, value in interpreter.run(fed).items()}
