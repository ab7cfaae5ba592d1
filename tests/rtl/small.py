"""A network of two layers as streamline writes it, small enough for yosys and Verilator to be quick about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

INPUTS, HIDDEN, OUTPUTS, LEVELS, VECTORS = 6, 5, 3, 7, 40


def artefact(folder: Path) -> Path:
    """Write x [1, 6] -> product -> thresholds -> product y [1, 3], and its golden vectors."""
    random = np.random.default_rng(3)
    first, second = random.integers(-15, 16, (INPUTS, HIDDEN)), random.integers(-15, 16, (HIDDEN, OUTPUTS))
    steps = np.sort(random.integers(-2000, 2000, (HIDDEN, LEVELS)), axis=1)
    x = random.integers(-128, 128, (VECTORS, INPUTS))
    hidden = (x @ first)[:, :, None] >= steps
    folder.mkdir(parents=True)
    onnx.save(_model(first, steps, second), folder / "model_finn_streamlined.onnx")
    golden = {"x": x, "hidden": hidden.sum(axis=2), "y": hidden.sum(axis=2) @ second}
    np.savez(folder / "golden.npz", **{name: array.astype(np.int16) for name, array in golden.items()})
    sides = {"inputs": {"x": ("INT8", -128, 127, INPUTS)}, "outputs": {"y": ("INT11", -525, 525, OUTPUTS)}}
    said = {side: {name: _said(*of) for name, of in tensors.items()} for side, tensors in sides.items()}
    parts = {"model_finn_streamlined": {"file": "model_finn_streamlined.onnx", **said}}
    (folder / "interface.json").write_text(json.dumps({"parts": parts}))
    (folder / "model_def.json").write_text(json.dumps({"model": "two_layers", "parameters": {}}))
    return folder


def _said(datatype: str, low: int, high: int, size: int) -> dict:
    return {"datatype": datatype, "range": [low, high], "shape": [1, size], "scale": 1.0, "unit": "1", "zero_point": 0}


def _model(first: np.ndarray, steps: np.ndarray, second: np.ndarray) -> onnx.ModelProto:
    constants = {"first": first, "steps": steps, "second": second}
    nodes = [
        helper.make_node("MatMul", ["x", "first"], ["sums"]),
        helper.make_node(
            "MultiThreshold", ["sums", "steps"], ["hidden"], domain="qonnx.custom_op.general", out_dtype="UINT3"
        ),
        helper.make_node("MatMul", ["hidden", "second"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, INPUTS))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, OUTPUTS))],
        [numpy_helper.from_array(array.astype(np.float32), name) for name, array in constants.items()],
    )
    return helper.make_model(graph)
