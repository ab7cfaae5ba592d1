"""Random inputs of the graphs that streamline wrote, and what the integer reference makes of them at every boundary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from microstage import golden
from microstage.integer import Interpreter
from microstage.integer.sequence import integers
from microstage.onnx_file import read_onnx
from microstage_cbackend.generate import graphs_of
from microstage_cbackend.program.ir import Part, Tensor
from microstage_cbackend.program.model import Model

__all__ = ["random_vectors"]

_BATCH = 50
_NEAR = 3
"How far from a golden vector every second batch goes: noise alone would leave a trained network's deeper layers at rest."


def random_vectors(model: Model, folder: Path, count: int) -> dict[str, np.ndarray]:
    """{boundary: integers [count, ...]} of the graphs in `folder`; the first two vectors lie at one end of their range."""
    interpreters = {part.name: Interpreter(read_onnx(path)) for part, path in zip(model.parts, graphs_of(folder).values())}
    vectors = golden.load(folder / golden.FILE)
    found = [_over_parts(model, interpreters, feeds) for feeds in _inputs(model, vectors, count)]
    return {boundary: np.concatenate([f[boundary] for f in found]) for boundary in found[0]}


def _inputs(model: Model, vectors: dict[str, np.ndarray], count: int) -> Iterator[dict[str, np.ndarray]]:
    """Batches of the network's inputs: noise over the whole range and, in turn with it, what is near to golden vectors."""
    taken = model.chain.encoder.inputs if model.chain else model.parts[0].inputs
    for start in range(0, count, _BATCH):
        random, rows = np.random.default_rng(start), min(_BATCH, count - start)
        noise = start // _BATCH % 2 == 0
        feeds = {t.name: _noise(t, rows, random) if noise else _near(t, vectors[t.name], rows, random) for t in taken}
        for tensor in taken if start == 0 else ():
            feeds[tensor.name][:1], feeds[tensor.name][1:2] = tensor.low, tensor.high
        yield feeds


def _noise(tensor: Tensor, rows: int, random: np.random.Generator) -> np.ndarray:
    return random.integers(tensor.low, tensor.high + 1, (rows, *tensor.shape[1:]))


def _near(tensor: Tensor, known: np.ndarray, rows: int, random: np.random.Generator) -> np.ndarray:
    chosen = known[random.integers(0, len(known), rows)].astype(np.int64).reshape(rows, *tensor.shape[1:])
    return np.clip(chosen + random.integers(-_NEAR, _NEAR + 1, chosen.shape), tensor.low, tensor.high)


def _over_parts(model: Model, interpreters: dict[str, Interpreter], feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """One part, or whole sequences of encoder, recurrent cell and head."""
    if model.chain is None:
        (part,) = model.parts
        return {**feeds, **_run(part, interpreters[part.name], feeds)}
    encoder, cell, head = model.chain.encoder, model.chain.cell, model.chain.head
    frames = _run(encoder, interpreters[encoder.name], feeds)
    sequence = frames[encoder.output_names[0]]
    states = _over_time(cell, interpreters[cell.name], sequence.reshape(len(sequence), model.chain.steps, -1))
    last = {head.inputs[0].name: states[head.inputs[0].name][:, -1]}
    return {**feeds, **frames, **states, **_run(head, interpreters[head.name], last)}


def _over_time(cell: Part, interpreter: Interpreter, frames: np.ndarray) -> dict[str, np.ndarray]:
    """Every state [n, T, width] behind each of `frames` [n, T, width], from zero states."""
    sizes = {t.name: t.size for t in cell.inputs}
    (entry,) = sizes.keys() - dict(cell.states).keys()
    state = {old: np.zeros((len(frames), sizes[old]), np.int64) for old, _ in cell.states}
    found: dict[str, list[np.ndarray]] = {old: [] for old in state}
    for t in range(frames.shape[1]):
        after = _run(cell, interpreter, {entry: frames[:, t], **state})
        state = {old: after[new] for old, new in cell.states}
        for old, values in state.items():
            found[old].append(values)
    return {old: np.stack(steps, axis=1) for old, steps in found.items()}


def _run(part: Part, interpreter: Interpreter, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    found = interpreter.run(feeds)
    return {name: integers(found[name]) for name in part.output_names}
