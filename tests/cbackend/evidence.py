"""The networks that the C is proven on, written as the stage reads them, and random vectors of each by the integer reference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lstm_stack
import numpy as np
from drawn import write_network

from microstage.benchmarks.network import Network
from microstage.benchmarks.reference import run
from microstage.benchmarks.twins import inputs_of, network_named
from microstage.errors import VerificationError
from microstage.integer import Interpreter
from microstage.onnx_file import read_onnx
from microstage_cbackend.generate import graphs_of
from microstage_cbackend.program.ir import Part
from microstage_cbackend.program.model import Model

__all__ = ["DRAWN", "LSTM_STACK", "random_vectors", "write"]

DRAWN = ("kws-w3a3", "cnv-binary", "resnet8", "ds-cnn", "mobilenet", "autoencoder")
LSTM_STACK = "lstm-stack"
_BATCH, _TWICE = 50, 100
"Vectors at a time; vectors that both writings of the reference compute."


def write(name: str, folder: Path) -> Path:
    """Network `name` as the stage reads it, in `folder`."""
    if name == LSTM_STACK:
        lstm_stack.write(folder)
        return folder
    network = network_named(name)
    write_network(network, folder)
    return folder


def random_vectors(name: str, model: Model, folder: Path, count: int) -> dict[str, np.ndarray]:
    """Boundaries [count, ...] of random inputs, the first two of them all at one end of their range."""
    batches = range(0, count, _BATCH)
    if name == LSTM_STACK:
        frames, interpreter = lstm_stack.draw(count, seed=7), Interpreter(read_onnx(folder / "model_qcdq.onnx"))
        return {"frame": frames, **_over_time(model.parts[0], interpreter, frames)}
    if name in DRAWN:
        found = [_drawn(network_named(name), min(_BATCH, count - start), start) for start in batches]
        _check_both(folder, network_named(name), found[: _TWICE // _BATCH])
    else:
        interpreters = {part: Interpreter(read_onnx(path)) for part, path in graphs_of(folder).items()}
        found = [_windows(model, interpreters, min(_BATCH, count - start), start) for start in batches]
    return {boundary: np.concatenate([f[boundary] for f in found]) for boundary in found[0]}


def _drawn(network: Network, count: int, start: int) -> dict[str, np.ndarray]:
    """Noise over the whole range and, in every second batch, inputs like those that the network was calibrated on."""
    random, feeds = np.random.default_rng(start), {}
    for name, quantity in network.inputs.items():
        feeds[name] = random.integers(quantity.low, quantity.high + 1, (count, *network.shapes[name])).astype(np.int8)
        if start == 0:
            feeds[name][:1], feeds[name][1:2] = quantity.low, quantity.high
    feeds = feeds if start // _BATCH % 2 == 0 else inputs_of(network, count, seed=start)
    return {**feeds, network.output: run(network, feeds)[network.output]}


def _check_both(folder: Path, network: Network, batches: list[dict[str, np.ndarray]]) -> None:
    """The reference of drawn networks is the interpreter of graphs: two writings, the same integers."""
    interpreter = Interpreter(read_onnx(folder / "model_finn_streamlined.onnx"))
    for batch in batches:
        found = interpreter.run({name: batch[name] for name in network.inputs})[network.output]
        if not np.array_equal(_integers(found), batch[network.output]):
            raise VerificationError(f"The two references of {network.name} differ.")


def _windows(model: Model, interpreters: dict[str, Interpreter], count: int, start: int) -> dict[str, np.ndarray]:
    """Whole sequences of a network of encoder, recurrent cell and head for random windows."""
    encoder, cell, head = model.chain.encoder, model.chain.cell, model.chain.head
    (window,), (state,), random = encoder.inputs, head.inputs, np.random.default_rng(start)
    windows = random.integers(window.low, window.high + 1, (count, *window.shape[1:])).astype(np.int8)
    if start == 0:
        windows[:1], windows[1:2] = window.low, window.high
    frames = _integers(interpreters[encoder.name].run({window.name: windows})[encoder.output_names[0]])
    states = _over_time(cell, interpreters[cell.name], frames.reshape(count, model.chain.steps, -1))
    answer = _integers(interpreters[head.name].run({state.name: states[state.name][:, -1]})[head.output_names[0]])
    return {window.name: windows, encoder.output_names[0]: frames, **states, head.output_names[0]: answer}


def _over_time(cell: Part, interpreter: Interpreter, frames: np.ndarray) -> dict[str, np.ndarray]:
    """Every state [n, T, width] behind each of `frames` [n, T, width], from zero states."""
    sizes = {t.name: t.size for t in cell.inputs}
    (entry,) = sizes.keys() - dict(cell.states).keys()
    state = {old: np.zeros((len(frames), sizes[old]), np.int8) for old, _ in cell.states}
    found: dict[str, list[np.ndarray]] = {old: [] for old in state}
    for t in range(frames.shape[1]):
        after = interpreter.run({entry: frames[:, t].astype(np.int8), **state})
        state = {old: _integers(after[new]).astype(np.int8) for old, new in cell.states}
        for old, values in state.items():
            found[old].append(values)
    return {old: np.stack(steps, axis=1) for old, steps in found.items()}


def _integers(value: Any) -> np.ndarray:
    return np.asarray(getattr(value, "ints", value)).astype(np.int64)
