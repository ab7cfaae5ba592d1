"""A network with a memory that needs no training.

It has the half-cycle DFT's phasors in integers, and their mean since the last reset.
"""

import json

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from microstage.signals import EXPONENTS

SAMPLES, BITS = 32, 12
SCALE = 2.0 ** -(BITS - 1) * 2.0**-8 * 2 / SAMPLES
MOST = 64


def written(folder, correction=0.0):
    """Write the folder, with graphs and interface as qcdq writes them.

    `correction` is added to every answer, over the gain.
    """
    folder.mkdir()
    angles = 2 * np.pi * np.outer(np.arange(SAMPLES), (1, 3, 5, 7)) / (2 * SAMPLES)
    weights = np.rint(256 * np.concatenate([np.cos(angles), -np.sin(angles)], axis=1)).astype(np.int64)
    top = int(2 ** (BITS - 1) * np.abs(weights).sum(0).max())
    added = int(round(correction * 100))
    graphs = {
        "encoder": ({"window": SAMPLES}, {"estimate": 8}, [("MatMul", ["window", "w"], "estimate")], {"w": weights}),
        "cell": ({"level": 8, "h": 8}, {"h_next": 8}, [("Sub", ["level", "h"], "h_next")], {}),
        "head": (
            {"estimate": 8, "sum": 8, "count": 4, "h": 8}, {"sum_next": 8, "count_next": 4, "correction": 4},
            [("Add", ["sum", "estimate"], "sum_next"), ("Add", ["count", "one"], "count_next"),
             ("Mul", ["count", "zero"], "nothing"), ("Add", ["nothing", "added"], "correction")],
            {"one": np.ones((1, 4)), "zero": np.zeros((1, 4)), "added": np.full((1, 4), added)},
        ),
    }  # fmt: skip
    said = {
        "window": (2.0 ** (1 - BITS), 2 ** (BITS - 1) - 1),
        "estimate": (SCALE, top), "level": (SCALE, top), "h": (SCALE, top), "h_next": (SCALE, top),
        "sum": (SCALE, MOST * top), "sum_next": (SCALE, MOST * top),
        "count": (1.0, MOST), "count_next": (1.0, MOST), "correction": (0.01, 1000),
    }  # fmt: skip
    parts = {}
    for name, (inputs, outputs, nodes, constants) in graphs.items():
        _save(folder / f"{name}.onnx", inputs, outputs, nodes, constants)
        parts[name] = {"file": f"{name}.onnx", "inputs": _described(inputs, said), "outputs": _described(outputs, said)}
    (folder / "interface.json").write_text(json.dumps({
        "parts": parts,
        "sequence": {
            "length": 1, "encoder": "encoder", "cell": "cell", "head": "head", "steps": {"level": "estimate"},
            "states": {"h": "h_next"}, "last": {"h": "h"}, "carried": {"sum": "sum_next", "count": "count_next"},
        },
        "gain": {
            "inputs": {"window": "waveform"}, "outputs": {"harmonics": "amplitudes"},
            "exponents": list(EXPONENTS), "scaled": ["sum"],
        },
        "answer": {
            "name": "harmonics", "sum": "sum_next", "count": "count_next", "correction": "correction", "most": MOST,
        },
    }))  # fmt: skip
    return folder


def _described(tensors, said):
    return {
        name: {
            "datatype": "INT32",
            "range": [-said[name][1], said[name][1]],
            "scale": said[name][0],
            "shape": [1, width],
        }
        for name, width in tensors.items()
    }


def _save(path, inputs, outputs, nodes, constants):
    def value(name, width):
        return helper.make_tensor_value_info(name, TensorProto.INT64, ["B", width])

    graph = helper.make_graph(
        [helper.make_node(op, reads, [out]) for op, reads, out in nodes],
        "g",
        [value(*i) for i in inputs.items()],
        [value(*o) for o in outputs.items()],
        [numpy_helper.from_array(np.asarray(v, np.int64), n) for n, v in constants.items()],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
