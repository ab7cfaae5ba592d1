"""Two stacked LSTMs as a QCDQ graph of one step: int8 weights, real sigmoids and tanhs between quantisers, four states."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from quantised import Quantised

from microstage import golden
from microstage.integer import Interpreter

FRAME, WIDTHS, STEPS = 10, (24, 16), 40
STATES = tuple(f"{kind}_{layer}" for layer in range(len(WIDTHS)) for kind in ("hidden", "cell"))
_HIDDEN, _CELL = 1 / 128, 1 / 32  # scales; a hidden state lies within -1..1, a cell's within -4..4


def step_graph(seed: int = 1) -> onnx.ModelProto:
    """frame_t [1, FRAME] and the states [1, width] -> every state's successor."""
    q = Quantised(seed)
    below = q.input("frame_t", (1, FRAME), _HIDDEN)
    for layer, width in enumerate(WIDTHS):
        hidden = q.input(f"hidden_{layer}", (1, width), _HIDDEN)
        cell = q.input(f"cell_{layer}", (1, width), _CELL)
        depth = (FRAME, *WIDTHS)[layer] + width
        below = _layer(q, q.node("Concat", below, hidden, axis=1), cell, (width, depth), layer)
    return q.model(*(f"{state}_next" for state in STATES))


def _layer(q: Quantised, both: str, cell: str, shape: tuple[int, int], layer: int) -> str:
    """c' = f c + i g, h' = o tanh(c'); every product, sum and function is quantised."""
    forget, enter, leave = (_gate(q, both, shape, "Sigmoid", 1 / 256, "uint8") for _ in range(3))
    new = _gate(q, both, shape, "Tanh", 1 / 128, "int8")
    kept, added = q.quantise(q.node("Mul", forget, cell), _CELL), q.quantise(q.node("Mul", enter, new), 1 / 128)
    after = q.quantise(q.node("Add", kept, added), _CELL, name=f"cell_{layer}_next")
    seen = q.quantise(q.node("Tanh", after), 1 / 128)
    return q.quantise(q.node("Mul", leave, seen), _HIDDEN, name=f"hidden_{layer}_next")


def _gate(q: Quantised, both: str, shape: tuple[int, int], function: str, scale: float, dtype: str) -> str:
    weights, scales = q.weights(shape)
    integers, scale_of_sums = q.constant(q.random.integers(-2000, 2000, shape[0]), np.int32), q.constant(np.float32(_HIDDEN) * scales)
    bias = q.node("DequantizeLinear", integers, scale_of_sums, axis=0)
    total = q.quantise(q.node("Gemm", both, weights, bias, transB=1), 1 / 16)
    return q.quantise(q.node(function, total), scale, dtype=dtype)


def sequences(model: onnx.ModelProto, frames: np.ndarray) -> dict[str, np.ndarray]:
    """By the integer reference, from zero states: frame int8 [n, T, FRAME] and every state [n, T, width]."""
    interpreter, state = Interpreter(model), {}
    for name in STATES:
        state[name] = np.zeros((len(frames), interpreter.shapes[name][-1]), np.int8)
    found: dict[str, list[np.ndarray]] = {name: [] for name in STATES}
    for t in range(frames.shape[1]):
        after = interpreter.run({"frame_t": frames[:, t], **state})
        state = {name: np.asarray(getattr(after[f"{name}_next"], "ints", after[f"{name}_next"])).astype(np.int8) for name in STATES}
        for name in STATES:
            found[name].append(state[name])
    return {"frame": frames, **{name: np.stack(steps, axis=1) for name, steps in found.items()}}


def draw(count: int, seed: int) -> np.ndarray:
    """Random sequences, the first two all at one end of the range."""
    frames = np.random.default_rng(seed).integers(-128, 128, (count, STEPS, FRAME)).astype(np.int8)
    frames[:1], frames[1:2] = -128, 127
    return frames


def write(folder: Path) -> onnx.ModelProto:
    """What the stage reads: the graph and 32 golden sequences."""
    model = step_graph()
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model_qcdq.onnx")
    golden.save(folder / golden.FILE, sequences(model, draw(32, seed=3)))
    (folder / "model_def.json").write_text('{"model": "lstm_stack"}')
    roles = {"length": STEPS, "cell": "model", "steps": {"frame_t": "frame"}, "states": {state: f"{state}_next" for state in STATES}}
    (folder / "interface.json").write_text(json.dumps({"sequence": roles}))
    return model
