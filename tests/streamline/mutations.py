"""Networks of which something is changed at random, as the format has it: what no list of cases thinks of."""

import numpy as np
import onnx
from onnx import AttributeProto, numpy_helper

__all__ = ["mutant"]

_WHOLE = [0, 1, -1, 2, 3, 8, 32, 33, 64, 127, 2**15, 2**31, -(2**31), 2**40, 2**62, -(2**63), 10**6]
_REAL = [0.0, 1.0, -1.0, 1e-45, 1e-38, 1e30, 3e38, np.inf, -np.inf, np.nan, 0.5, 1e9]
_TEXTS = [b"", b"NHWC", b"SAME_UPPER", b"reflect", b"\xff\xfe", b"FLOOR", b"x" * 300]
_TYPES = [np.float32, np.float64, np.float16, np.int8, np.uint8, np.int16, np.int32, np.int64, np.bool_]


def mutant(rng, model: onnx.ModelProto) -> onnx.ModelProto:
    """`model`, changed in one place or a few."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        rng.choice(_CHANGES)(rng, model.graph)
    return model


def _attribute(rng, graph) -> None:
    found = [attribute for node in graph.node for attribute in node.attribute]
    chosen = rng.choice(found)
    if chosen.type == AttributeProto.INT:
        chosen.i = rng.choice(_WHOLE)
    elif chosen.type == AttributeProto.INTS and chosen.ints:
        chosen.ints[:] = rng.choice([[], chosen.ints[1:], [*chosen.ints, 1], [rng.choice(_WHOLE), *chosen.ints[1:]]])
    elif chosen.type == AttributeProto.FLOAT:
        chosen.f = rng.choice(_REAL)
    elif chosen.type == AttributeProto.STRING:
        chosen.s = rng.choice(_TEXTS)


def _attribute_left_out(rng, graph) -> None:
    node = rng.choice([node for node in graph.node if node.attribute])
    del node.attribute[rng.randrange(len(node.attribute))]


def _size(rng, graph) -> None:
    dims = rng.choice([*graph.input, *graph.output]).type.tensor_type.shape.dim
    rng.choice([*dims, dims.add()]).dim_value = rng.choice(_WHOLE)


def _stored(rng, graph) -> tuple[onnx.TensorProto, np.ndarray]:
    tensor = rng.choice(graph.initializer)
    return tensor, numpy_helper.to_array(tensor).copy()


def _value(rng, graph) -> None:
    tensor, value = _stored(rng, graph)
    flat = value.reshape(-1)
    for _ in range(min(3, flat.size)):
        with np.errstate(all="ignore"):
            flat[rng.randrange(flat.size)] = np.asarray(rng.choice(_REAL)).astype(value.dtype)
    tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))


def _type(rng, graph) -> None:
    tensor, value = _stored(rng, graph)
    with np.errstate(all="ignore"):
        tensor.CopyFrom(numpy_helper.from_array(value.astype(rng.choice(_TYPES)), tensor.name))


def _shape(rng, graph) -> None:
    tensor, value = _stored(rng, graph)
    flat = value.reshape(-1)
    shapes = [flat, value[None], value.T, np.tile(flat, 2), flat[:1], flat[:0]]
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(rng.choice(shapes)), tensor.name))


def _constants_exchanged(rng, graph) -> None:
    one, other = rng.sample(list(graph.initializer), 2)
    one.name, other.name = other.name, one.name


def _node_left_out(rng, graph) -> None:
    """Who read its output reads its input."""
    node = rng.choice(graph.node)
    for other in graph.node:
        other.input[:] = [node.input[0] if name == node.output[0] else name for name in other.input]
    graph.node.remove(node)


def _other_operator(rng, graph) -> None:
    others = ["Sigmoid", "Concat", "Split", "Pad", "Div", "ArgMax"]
    rng.choice(graph.node).op_type = rng.choice([node.op_type for node in graph.node] + others)


def _other_edge(rng, graph) -> None:
    node = rng.choice(graph.node)
    names = [name for other in graph.node for name in (*other.input, *other.output)]
    node.input[rng.randrange(len(node.input))] = rng.choice(names)


_CHANGES = [
    _attribute, _attribute_left_out, _size, _value, _type, _shape, _constants_exchanged, _node_left_out,
    _other_operator,
    _other_edge,
]  # fmt: skip
