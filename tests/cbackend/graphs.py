"""Hand-made streamlined graphs, and an oracle for them in plain NumPy that shares no code with the generator."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import own_operators
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


class Graph:
    """A FINN-ONNX graph under construction: float containers, integer values, datatypes as annotations."""

    def __init__(self) -> None:
        self.nodes, self.constants, self.inputs, self.outputs, self.types = [], {}, {}, [], {}

    def input(self, name: str, shape: tuple[int, ...], datatype: str = "INT8") -> str:
        self.inputs[name], self.types[name] = shape, datatype
        return name

    def constant(self, name: str, values, dtype=np.float32) -> str:
        self.constants[name] = np.asarray(values, dtype=dtype)
        return name

    def node(self, operator: str, *inputs: str, outputs: int | list[str] = 1, domain: str = "", **attributes):
        names = (
            outputs if isinstance(outputs, list) else [f"{operator}_{len(self.nodes)}_out{i}" for i in range(outputs)]
        )
        name = f"{operator}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, domain=domain, **attributes))
        return names[0] if len(names) == 1 else names

    def threshold(self, x: str, thresholds, bias: int = 0, layout: str = "NC", output: list[str] | int = 1) -> str:
        t = self.constant(f"thresholds_{len(self.nodes)}", thresholds)
        facts = {"out_dtype": "INT8", "out_bias": float(bias), "out_scale": 1.0, "data_layout": layout}
        return self.node("MultiThreshold", x, t, outputs=output, domain=QONNX, **facts)

    def model(self, *outputs: str) -> onnx.ModelProto:
        def value(name, shape=None):
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        constants = [numpy_helper.from_array(v, n) for n, v in self.constants.items()]
        inputs = [value(n, s) for n, s in self.inputs.items()]
        graph = helper.make_graph(self.nodes, "g", inputs, [value(n) for n in outputs], constants)
        for name, datatype in self.types.items():
            pair = onnx.StringStringEntryProto(key="finn_datatype", value=datatype)
            graph.quantization_annotation.append(
                onnx.TensorAnnotation(tensor_name=name, quant_parameter_tensor_names=[pair])
            )
        return helper.make_model(graph)


def evaluate(model: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor of `model` as int64, computed node by node."""
    values = {t.name: numpy_helper.to_array(t).astype(np.int64) for t in model.graph.initializer}
    values |= {name: np.asarray(v, dtype=np.int64) for name, v in feeds.items()}
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        results = _ORACLE[node.op_type]([values[n] for n in node.input if n], attributes)
        values |= dict(zip(node.output, results if isinstance(results, list) else [results]))
    return values


def _threshold(inputs, a):
    x, t = inputs
    axis = a["data_layout"].decode().index("C")
    counts = (np.moveaxis(x, axis, -1)[..., None] >= t).sum(axis=-1)
    return np.moveaxis(counts, -1, axis) * int(a["out_scale"]) + int(a["out_bias"])


def _pad(x, pads, axes, value):
    widths = [(0, 0)] * x.ndim
    for i, axis in enumerate(axes):
        widths[axis] = (pads[i], pads[i + len(axes)])
    return np.pad(x, widths, constant_values=value)


def _conv(inputs, a):
    x, w, *bias = inputs
    rank = w.ndim - 2
    x = _pad(x, a.get("pads", [0] * 2 * rank), list(range(2, 2 + rank)), 0)
    if rank == 1:
        x, w = x[:, :, None], w[:, :, None]
    ones = [1] * (2 - rank)
    strides, dilations, groups = (
        [*ones, *a.get("strides", [1] * rank)],
        [*ones, *a.get("dilations", [1] * rank)],
        a.get("group", 1),
    )
    out = [(x.shape[2 + i] - dilations[i] * (w.shape[2 + i] - 1) - 1) // strides[i] + 1 for i in (0, 1)]
    y = np.zeros((1, w.shape[0], *out), dtype=np.int64)
    for f in range(w.shape[0]):
        first = f // (w.shape[0] // groups) * w.shape[1]
        for i, j in np.ndindex(*out):
            rows = slice(i * strides[0], i * strides[0] + dilations[0] * (w.shape[2] - 1) + 1, dilations[0])
            columns = slice(j * strides[1], j * strides[1] + dilations[1] * (w.shape[3] - 1) + 1, dilations[1])
            y[0, f, i, j] = (x[0, first : first + w.shape[1], rows, columns] * w[f]).sum()
    y = y + bias[0].reshape(1, -1, 1, 1) if bias else y
    return y[:, :, 0] if rank == 1 else y


def _im2col(inputs, a):
    (x,), (kh, kw), (sh, sw) = inputs, a["kernel_size"], a["stride"]
    x = _pad(x, a.get("pad_amount", [0] * 4), [1, 2], a.get("pad_value", 0))
    height, width = (x.shape[1] - kh) // sh + 1, (x.shape[2] - kw) // sw + 1
    patches = [[x[0, i * sh : i * sh + kh, j * sw : j * sw + kw].ravel() for j in range(width)] for i in range(height)]
    return np.array(patches)[None]


def _max_pool(inputs, a, last=False):
    (x,), kernel, strides = inputs, a["kernel_shape"], a["strides"]
    axes = list(range(1, 1 + len(kernel))) if last else list(range(2, 2 + len(kernel)))
    x = _pad(x, a.get("pads", [0] * 2 * len(kernel)), axes, -(2**40))
    view = np.lib.stride_tricks.sliding_window_view(x, kernel, axes)
    for axis, stride in zip(axes, strides):
        view = np.take(view, range(0, view.shape[axis], stride), axis)
    return view.max(axis=tuple(range(x.ndim, x.ndim + len(kernel))))


def _slice(inputs, a):
    x, starts, ends, axes = inputs
    for start, end, axis in zip(starts, ends, axes):
        x = np.take(x, range(*slice(start, end).indices(x.shape[axis])), axis)
    return x


_ORACLE = {
    **own_operators.ORACLE,
    "MatMul": lambda i, a: i[0] @ i[1],
    "XnorPopcountMatMul": lambda i, a: i[0] @ i[1] + (1 - i[0]) @ (1 - i[1]),
    "Add": lambda i, a: i[0] + i[1],
    "Mul": lambda i, a: i[0] * i[1],
    "Concat": lambda i, a: np.concatenate(i, a["axis"]),
    "Split": lambda i, a: np.split(i[0], np.cumsum(i[1])[:-1], a["axis"]),
    "Slice": _slice,
    "Transpose": lambda i, a: i[0].transpose(a["perm"]),
    "Reshape": lambda i, a: i[0].reshape(i[1]),
    "Flatten": lambda i, a: i[0].reshape(i[0].shape[0], -1),
    "Squeeze": lambda i, a: i[0].squeeze(tuple(i[1])),
    "Unsqueeze": lambda i, a: np.expand_dims(i[0], tuple(i[1])),
    "Identity": lambda i, a: i[0],
    "ArgMax": lambda i, a: np.expand_dims(i[0].argmax(a["axis"]), a["axis"]),
    "MultiThreshold": _threshold,
    "Conv": _conv,
    "Im2Col": _im2col,
    "MaxPool": _max_pool,
    "MaxPoolNHWC": lambda i, a: _max_pool(i, a, last=True),
}


def write_artefact(
    folder: Path, models: dict[str, onnx.ModelProto], golden: dict[str, np.ndarray], interface=None
) -> Path:
    """A streamline artefact with just what cbackend reads."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, model in models.items():
        onnx.save(model, folder / f"{part}_finn_streamlined.onnx")
    np.savez(folder / "golden.npz", **golden)
    (folder / "interface.json").write_text(json.dumps(interface or {}))
    (folder / "model_def.json").write_text('{"model": "tiny"}')
    return folder


def single(folder: Path, graph: Graph, outputs: list[str], vectors: int = 8, seed: int = 0, oracle=evaluate) -> Path:
    """Artefact of one feed-forward graph, golden vectors by `oracle`: random ones and both ends of every range."""
    from microstage_cbackend.read.graph import datatype_range

    random, model, rows = np.random.default_rng(seed), graph.model(*outputs), []
    for vector in range(vectors):
        feeds = {}
        for name, shape in graph.inputs.items():
            low, high = datatype_range(graph.types[name])
            ends = {0: np.full(shape, low), 1: np.full(shape, high)}
            feeds[name] = ends.get(vector, random.integers(low, high, shape, endpoint=True))
        rows.append({**feeds, **oracle(model, feeds)})
    names = [*graph.inputs, *outputs]
    return write_artefact(folder, {"model": model}, {n: np.stack([r[n] for r in rows]) for n in names})
