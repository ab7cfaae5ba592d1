"""One form for what exporters write in many: the rewrites of single nodes, in graph order, with an example of every value.

The example (all inputs zero) tells shapes, and what is quantised at which scale, without ONNX's own shape inference, which
knows neither qonnx's operators nor what a graph of another opset meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import knows, operator, run_node
from microstage.integer.tensor import real
from microstage_streamline.graph.graph import Graph, MalformedModel, Node, saying_where

__all__ = ["Normaliser", "is_quantised"]

_REWRITES: dict[str, Callable[[Normaliser, Node], list[Node] | None]] = {}
_MOST_FOLDED = 1 << 26  # values that folding may make


@operator("Rescale")
def rescale(arguments, _):
    """value * factor where `value` is quantised: the same integers at another scale."""
    value, factor = arguments
    scaled = np.asarray(value.scale if isinstance(value, QTensor) else 1.0) * np.asarray(factor, np.float64)
    return QTensor(np.asarray(value.ints if isinstance(value, QTensor) else value, np.int64), scaled)


def is_quantised(value: Any) -> bool:
    """Whether an example is integers, scaled or not."""
    return isinstance(value, QTensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "iu")


def _rewrites(*operators: str):
    def register(function):
        _REWRITES.update(dict.fromkeys(operators, function))
        return function

    return register


class Normaliser:
    """`graph` after `clean()` holds no constant subgraph, no alias, no bias in a product, no two equal nodes.

    `values` are the examples; a tensor that this reference cannot compute has none, and `unknown` says why.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.values: dict[str, Any] = {**graph.constants, **graph.examples()}
        self.unknown: dict[str, str] = {}
        self.renamed: dict[str, str] = {}
        self.seen: dict[Any, Node] = {}
        self.count = 0

    def clean(self) -> Graph:
        queue, done = list(self.graph.nodes), []
        while queue:
            node = queue.pop(0)
            node.inputs = [self.renamed.get(name, name) for name in node.inputs]
            replaced = self._rewritten(node)
            if replaced is not None:
                queue[:0] = replaced
            elif not self._gone(node):
                done.append(node)
        self.graph.nodes = done
        self.graph.outputs = [self.renamed.get(name, name) for name in self.graph.outputs]
        used = {name for node in done for name in node.inputs} | {*self.graph.outputs}
        self.graph.constants = {name: value for name, value in self.graph.constants.items() if name in used}
        return self.graph

    def constant(self, near: str, value: Any) -> str:
        """A new constant, called after the tensor that it serves."""
        self.count += 1
        name = f"{near}.constant{self.count}"
        self.graph.constants[name] = self.values[name] = value
        return name

    def is_constant(self, name: str) -> bool:
        return name in self.graph.constants

    def _rewritten(self, node: Node) -> list[Node] | None:
        """What stands for `node`; None for a node that stays as it is."""
        try:
            with saying_where(node):
                return _REWRITES[node.op](self, node) if node.op in _REWRITES else None
        except MalformedModel:
            raise
        except ModelError as error:
            self.unknown.update(dict.fromkeys(node.outputs, str(error)))
            return None

    def _gone(self, node: Node) -> bool:
        """Run the example; whether the node is a constant now, or the same as one before."""
        known = self._example(node)
        if known and all(not name or self.is_constant(name) for name in node.inputs):
            self.graph.constants.update((name, self.values[name]) for name in node.outputs if name)
            return True
        flags = tuple(sorted((name, str(value)) for name, value in node.flags.items()))
        twin = self.seen.setdefault((node.op, tuple(node.inputs), flags, len(node.outputs)), node)
        if twin is not node and not {*node.outputs, *twin.outputs} & {*self.graph.outputs}:
            self.renamed.update(zip(node.outputs, twin.outputs))
            return True
        return False

    def _example(self, node: Node) -> bool:
        reason = next((self.unknown[name] for name in (*node.inputs, *node.outputs) if name in self.unknown), None)
        if reason is None and not knows(node.op):
            reason = f"{node.op} is no operator of the integer reference"
        if reason is None:
            try:
                with saying_where(node):
                    found = _run(node, self.values)
            except MalformedModel:
                raise
            except ModelError as error:
                reason = str(error)
        if reason is not None:
            self.unknown.update(dict.fromkeys(node.outputs, reason))
            return False
        self.values.update(found)
        return True


def _run(node: Node, values) -> dict[str, Any]:
    found = run_node(node.proto(), values)
    if any(np.size(getattr(value, "ints", value)) > _MOST_FOLDED for value in found.values()):
        raise ModelError(f"an output of more than {_MOST_FOLDED} values")
    return found


@_rewrites("Identity", "Dropout")
def _alias(normal: Normaliser, node: Node) -> list[Node] | None:
    if node.output in normal.graph.outputs:
        return None if node.op == "Identity" else [Node("Identity", node.inputs[:1], node.outputs[:1], {}, node.layer)]
    normal.renamed[node.output] = node.inputs[0]
    return []


@_rewrites("Shape")
def _shape(normal: Normaliser, node: Node) -> list[Node] | None:
    value = normal.values.get(node.inputs[0])
    if value is None:
        return None
    sizes = np.asarray(value.shape, np.int64)[node.flags.get("start", 0) : node.flags.get("end")]
    normal.graph.constants[node.output] = normal.values[node.output] = sizes
    return []


@_rewrites("ConstantOfShape", "Expand", "Tile", "Range")
def _unfolded(normal: Normaliser, node: Node) -> list[Node] | None:
    """Only a constant of a shape is made, and only of a modest one."""
    shape = normal.graph.constants.get(node.inputs[0])
    if node.op != "ConstantOfShape" or shape is None:
        return None
    if np.prod(np.asarray(shape, np.float64)) > _MOST_FOLDED or np.min(shape, initial=0) < 0:
        raise MalformedModel(f"{node} makes a constant of shape {np.asarray(shape).tolist()}; at most {_MOST_FOLDED} values can be held.")
    from onnx import numpy_helper

    fill = numpy_helper.to_array(node.flags["value"]).reshape(-1)[0] if "value" in node.flags else np.float32(0)
    normal.graph.constants[node.output] = normal.values[node.output] = np.full(shape, fill)
    return []


@_rewrites("Gemm")
def _gemm(normal: Normaliser, node: Node) -> list[Node] | None:
    """a b alpha + c beta -> MatMul, Add."""
    flags = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0, **node.flags}
    a, b, *bias = node.inputs
    if flags["transA"] or flags["alpha"] != 1.0 or (bias and flags["beta"] != 1.0):
        raise ModelError("a Gemm with alpha, beta or transA is not known")
    if flags["transB"]:
        if normal.is_constant(b):
            weight = normal.values[b]
            b = normal.constant(b, run_node(Node("Transpose", ["w"], ["t"], {"perm": [1, 0]}).proto(), {"w": weight})["t"])
        else:
            turned = f"{node.output}.turned"
            return [Node("Transpose", [b], [turned], {"perm": [1, 0]}, node.layer),
                    Node("Gemm", [a, turned, *bias], node.outputs, {}, node.layer)]
    return _biased(node, Node("MatMul", [a, b], [], {}, node.layer), bias)


@_rewrites("Conv")
def _conv(normal: Normaliser, node: Node) -> list[Node] | None:
    """Explicit pads; the bias becomes an Add."""
    flags, (x, w, *bias) = dict(node.flags), node.inputs
    _explicit_pads(normal, node, flags, normal.values.get(w))
    if not bias and flags == node.flags:
        return _integer_weights(normal, node)
    if bias and bias[0]:
        rank = len(normal.values[w].shape)
        value, shape = normal.values.get(bias[0]), (1, -1) + (1,) * (rank - 2)
        if value is None or not normal.is_constant(bias[0]):
            raise ModelError("its bias is not constant")
        bias = [normal.constant(bias[0], _shaped(value, shape))]
    return _biased(node, Node("Conv", [x, w], [], flags, node.layer), bias)


def _shaped(value: Any, shape) -> Any:
    if isinstance(value, QTensor):
        return QTensor(value.ints.reshape(shape), value.scale.reshape(shape) if np.size(value.scale) > 1 else value.scale)
    return np.asarray(value).reshape(shape)


def _biased(node: Node, product: Node, bias: list[str]) -> list[Node]:
    if not bias or not bias[0]:
        product.outputs = node.outputs
        return [product]
    product.outputs = [f"{node.output}.accumulator"]
    return [product, Node("Add", [product.output, bias[0]], node.outputs, {}, node.layer)]


def _explicit_pads(normal: Normaliser, node: Node, flags: dict[str, Any], weight: Any) -> None:
    kind = flags.pop("auto_pad", b"NOTSET")
    kind = kind.decode() if isinstance(kind, bytes) else kind
    value = normal.values.get(node.inputs[0])
    if kind in ("SAME_UPPER", "SAME_LOWER") and value is not None:
        kernel = flags.get("kernel_shape") or list(weight.shape[2:])
        pads = [[], []]
        for size, k, s, d in zip(value.shape[2:], kernel, flags.get("strides", [1] * len(kernel)), flags.get("dilations", [1] * len(kernel))):
            total = max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size)
            small, large = total // 2, total - total // 2
            pads[0].append(small if kind == "SAME_UPPER" else large)
            pads[1].append(large if kind == "SAME_UPPER" else small)
        flags["pads"] = pads[0] + pads[1]
    elif kind not in ("NOTSET", "VALID", ""):
        raise ModelError(f"auto_pad {kind} is not known")


@_rewrites("MatMul")
def _integer_weights(normal: Normaliser, node: Node) -> list[Node] | None:
    """Stored weights that are whole numbers are quantised already, at scale 1: so FINN writes them."""
    name = node.inputs[1]
    value = normal.graph.constants.get(name)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f" and (value == np.rint(value)).all() and np.abs(value).max(initial=0) < 2**31:
        whole = normal.constant(name, QTensor(value.astype(np.int64), np.float64(1)))
        return [Node(node.op, [node.inputs[0], whole, *node.inputs[2:]], node.outputs, node.flags, node.layer)]
    return None


@_rewrites("MaxPool", "AveragePool")
def _pool(normal: Normaliser, node: Node) -> list[Node] | None:
    flags = dict(node.flags)
    _explicit_pads(normal, node, flags, None)
    if flags.get("count_include_pad") and any(flags.get("pads", ())):
        raise ModelError("an average that counts padding is not known")
    flags.pop("count_include_pad", None)
    flags.pop("storage_order", None)
    return None if flags == node.flags else [Node(node.op, node.inputs, node.outputs[:1], flags, node.layer)]


@_rewrites("Pad")
def _pad(normal: Normaliser, node: Node) -> list[Node] | None:
    """A padding of nothing, which exporters put before averages."""
    pads = node.flags.get("pads") if len(node.inputs) < 2 else normal.graph.constants.get(node.inputs[1])
    if pads is None or np.any(pads):
        return None
    return [Node("Identity", node.inputs[:1], node.outputs, {}, node.layer)]


@_rewrites("ReduceMean")
def _mean(normal: Normaliser, node: Node) -> list[Node] | None:
    """The mean over all places of an image is a global average pool."""
    value = normal.values.get(node.inputs[0])
    axes = normal.values.get(node.inputs[1]) if len(node.inputs) > 1 else node.flags.get("axes")
    if value is None or axes is None or sorted(int(a) % len(value.shape) for a in axes) != list(range(2, len(value.shape))):
        return None
    if node.flags.get("keepdims", 1):
        return [Node("GlobalAveragePool", node.inputs[:1], node.outputs, {}, node.layer)]
    pooled = f"{node.output}.pooled"
    return [Node("GlobalAveragePool", node.inputs[:1], [pooled], {}, node.layer), Node("Flatten", [pooled], node.outputs, {"axis": 1}, node.layer)]


@_rewrites("Reshape")
def _reshape(normal: Normaliser, node: Node) -> list[Node] | None:
    """A shape that says how many samples there are is told to keep them, however many."""
    shape, value = normal.graph.constants.get(node.inputs[1]), normal.values.get(node.inputs[0])
    if shape is None or value is None or len(shape) == 0 or normal.is_constant(node.inputs[0]) or int(shape[0]) == 0:
        return None
    sizes = [int(n) if n or node.flags.get("allowzero") else value.shape[i] for i, n in enumerate(shape)]
    behind, size = int(np.prod([n for n in sizes[1:] if n != -1], dtype=np.float64)), int(np.prod(value.shape))
    sizes[1:] = [size // max(1, behind) if n == -1 else n for n in sizes[1:]]
    if int(np.prod(sizes[1:], dtype=np.float64)) != size:
        raise ModelError(f"it makes {np.asarray(shape).tolist()} of {list(value.shape)}, samples and their values mixed")
    kept = normal.constant(node.inputs[1], np.asarray([0, *sizes[1:]], np.int64))
    return [Node("Reshape", [node.inputs[0], kept], node.outputs, {}, node.layer)]


@_rewrites("Squeeze", "Unsqueeze")
def _axes_as_input(normal: Normaliser, node: Node) -> list[Node] | None:
    """Since opset 13 the axes are an input."""
    if "axes" not in node.flags:
        return None
    axes = normal.constant(node.output, np.asarray(node.flags["axes"], np.int64))
    return [Node(node.op, [node.inputs[0], axes], node.outputs, {}, node.layer)]


@_rewrites("Split")
def _split(normal: Normaliser, node: Node) -> list[Node] | None:
    """Sizes that are left out are equal ones."""
    if len(node.inputs) > 1:
        return None
    if "split" in node.flags:
        sizes = normal.constant(node.output, np.asarray(node.flags["split"], np.int64))
        return [Node("Split", [node.inputs[0], sizes], node.outputs, {"axis": node.flags.get("axis", 0)}, node.layer)]
    value = normal.values.get(node.inputs[0])
    if value is None:
        return None
    size, parts = value.shape[node.flags.get("axis", 0)], len(node.outputs)
    each = -(-size // parts)
    sizes = [min(each, max(0, size - k * each)) for k in range(parts)]
    flags = {name: flag for name, flag in node.flags.items() if name != "num_outputs"}
    return [Node("Split", [node.inputs[0], normal.constant(node.output, np.asarray(sizes, np.int64))], node.outputs, flags, node.layer)]


@_rewrites("Mul", "Div")
def _rescale(normal: Normaliser, node: Node) -> list[Node] | None:
    """A quantised tensor times a positive constant is quantised still, at another scale."""
    names = node.inputs if node.op == "Div" or not normal.is_constant(node.inputs[0]) else node.inputs[::-1]
    value, factor = normal.values.get(names[0]), normal.graph.constants.get(names[1])
    if factor is None or not is_quantised(value) or normal.is_constant(names[0]):
        return None
    factor = real(factor)
    shape = np.broadcast_shapes(np.shape(factor), value.shape)
    if (factor <= 0).any() or shape != tuple(value.shape):
        return None
    factor = 1 / factor if node.op == "Div" else factor
    factor = factor.reshape(()) if factor.size == 1 else factor.reshape((1,) * (len(value.shape) - factor.ndim) + factor.shape)
    return [Node("Rescale", [names[0], normal.constant(node.output, factor)], node.outputs, {}, node.layer)]


@_rewrites("MultiThreshold")
def _thresholds(normal: Normaliser, node: Node) -> list[Node] | None:
    """Levels that are no integers (FINN's out_scale and out_bias) become integers and a scale."""
    flags = {"out_scale": 1.0, "out_bias": 0.0, "data_layout": b"", **node.flags}
    value = normal.values.get(node.inputs[0])
    if not flags["data_layout"] and value is not None:  # as qonnx guesses it
        flags["data_layout"] = {3: b"NWC"}.get(len(value.shape), b"NCHW")
    scale, bias = flags["out_scale"], flags["out_bias"]
    times = next((k for k in (1, 2) if scale and (bias * k / scale).is_integer()), None)
    if times is None:
        raise ModelError(f"levels at {scale} count {bias:+} stand at no common scale")
    if scale == 1.0 and times == 1 or scale == 2.0 and bias == int(bias):
        return None if flags == node.flags else [Node(node.op, node.inputs, node.outputs, flags, node.layer)]
    counted = f"{node.output}.levels"
    flags |= {"out_scale": float(times), "out_bias": bias * times / scale}
    factor = normal.constant(node.output, np.float64(scale / times))
    return [Node(node.op, node.inputs, [counted], flags, node.layer), Node("Rescale", [counted, factor], node.outputs, {}, node.layer)]


@_rewrites("BatchNormalization")
def _norm(normal: Normaliser, node: Node) -> list[Node] | None:
    if node.flags.get("training_mode", 0):
        raise ModelError("a batch norm in training mode has no fixed answer; export in evaluation mode")
    return None if len(node.outputs) == 1 else [Node(node.op, node.inputs, node.outputs[:1], node.flags, node.layer)]
