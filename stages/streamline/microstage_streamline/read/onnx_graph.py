"""Read an untrusted ONNX file as a `Graph`, or say in one sentence what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType

from microstage.errors import ModelError
from microstage.untrusted.exceptions import translated
from microstage.untrusted.limits import LONGEST_NAME, MOST_AXES, MOST_BITS, MOST_COMPUTED, MOST_LOOKED_AT, MOST_STORED
from microstage.untrusted.onnx_file import read_onnx
from microstage_streamline.finn.annotate_datatypes import RANGE
from microstage_streamline.graph.graph import Graph, GraphInput, Node
from microstage_streamline.read.narrow_types import HELD_IN, say_narrow_types
from microstage_streamline.read.opset import OLDEST, raised

__all__ = ["QUANTISERS", "QUANTISING", "graph_of", "nodes_of", "read_graph", "reads"]

OPSETS, IRS = (9, 25), (3, 14)
_CHECKED = 10  # the IR number that nodes are checked by, whichever the file has
# Operators of qonnx, FINN and brevitas, whatever domain a file keeps them in (the empty one included).
QUANTISERS = ("Quant", "IntQuant", "BipolarQuant", "MultiThreshold", "Trunc", "FloatQuant")
QUANTISING = ("QuantizeLinear", *QUANTISERS)
_MICROSOFT = (
    "QLinearAdd",
    "QLinearMul",
    "QLinearConcat",
    "QLinearWhere",
    "QLinearAveragePool",
    "QLinearGlobalAveragePool",
    "QLinearReduceMean",
    "QLinearLeakyRelu",
    "QLinearSigmoid",
    "QLinearSoftmax",
    "QGemm",
    "FastGelu",
    "QuickGelu",
)
_CUSTOM = (*QUANTISERS, "XnorPopcountMatMul", "Im2Col", "MaxPoolNHWC", "QuantAvgPool2d", *_MICROSOFT)
_DOMAINS = (
    "",
    "ai.onnx",
    "onnx.brevitas",
    "qonnx.custom_op.general",
    "qonnx.custom_op.channels_last",
    "finn.custom_op.general",
    "finn",
    "com.microsoft",
)
_INTEGERS = {
    TensorProto.INT8: (-128, 127),
    TensorProto.UINT8: (0, 255),
    TensorProto.INT16: (-(2**15), 2**15 - 1),
    TensorProto.UINT16: (0, 2**16 - 1),
    TensorProto.INT32: (-(2**31), 2**31 - 1),
    TensorProto.UINT32: (0, 2**32 - 1),
}
_REALS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
_COUNTS = (
    "blocksize",
    "dilations",
    "group",
    "kernel",
    "kernel_shape",
    "kernel_size",
    "num_outputs",
    "size",
    "stride",
    "strides",
)
_MARGINS = ("output_padding", "pad_amount", "pads")
_LONGEST_STEP = 2**31 - 1  # of 32 bits, as in C


def read_graph(path: Path) -> Graph:
    """Return the graph in `path`, batch 1, in an order that can be run; `ModelError` for whatever is no network that
    can be read.
    """
    try:
        return graph_of(read_onnx(path))
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ):  # a name that is no text, a type that is no type
        raise ModelError("This is no ONNX file, or a damaged one; export the network again.") from None


def graph_of(model: onnx.ModelProto) -> Graph:
    """Return the graph of a model that was read, or made here."""
    opset = _opset(model)
    for place, node in enumerate(model.graph.node):
        _assert_known(node, place, opset)
    if opset < OLDEST:
        _assert_whole(model.graph)
    graph = raised(model, opset, _CUSTOM).graph
    nodes, constants = nodes_of(graph)
    declared = {a.tensor_name: _declared(a) for a in graph.quantization_annotation}
    inputs = {
        value.name: _entry(value, declared.get(value.name)) for value in graph.input if value.name not in constants
    }
    outputs = [value.name for value in graph.output]
    ordered = _in_order(nodes, {*constants, *inputs})
    if not inputs or not outputs or not ordered:
        what = "input" if not inputs else "output" if not outputs else "operator"
        raise ModelError(f"The graph has no {what}; export the network with its inputs, layers and outputs.")
    _assert_computed(graph, ordered, {*constants, *inputs})
    return Graph(ordered, constants, inputs, outputs, max(opset, OLDEST))


def _assert_whole(graph: onnx.GraphProto) -> None:
    """Refuse nodes and outputs that read what there is not: onnx's converter ends the process on them."""
    nodes, constants = nodes_of(graph)
    known = {*constants, *(value.name for value in graph.input)}
    _assert_computed(graph, _in_order(nodes, known), known)


def _assert_computed(graph: onnx.GraphProto, nodes: Iterable[Node], known: Iterable[str]) -> None:
    made = {*known, *(name for node in nodes for name in node.outputs)}
    if missing := next((value.name for value in graph.output if value.name not in made), None):
        raise ModelError(f"The graph's output {missing} is computed by no node; export the network again.")


def nodes_of(graph: onnx.GraphProto) -> tuple[list[Node], dict[str, np.ndarray]]:
    """Return (nodes, constants by name) of a graph, or of one inside it."""
    constants = dict(_constant(tensor) for tensor in graph.initializer)
    nodes = [_node(node, place) for place, node in enumerate(graph.node)]
    say_narrow_types(nodes, graph)
    return [node for node in nodes if not _taken_as_constant(node, constants)], constants


def _opset(model: onnx.ModelProto) -> int:
    """Return the version that the model's operators are written in, if it can be read."""
    opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), None)
    if opset is None:
        raise ModelError("The model does not say which opset of ONNX it is written in; export it again.")
    if not OPSETS[0] <= opset <= OPSETS[1]:
        expected = f"{OPSETS[0]} to {OPSETS[1]}"
        raise ModelError(
            f"The model is written in opset {opset}; expected {expected}: export it with opset 13 or later."
        )
    if not IRS[0] <= model.ir_version <= IRS[1]:
        expected = f"{IRS[0]} to {IRS[1]}"
        raise ModelError(
            f"The model is written in ONNX IR {model.ir_version}; expected {expected}: save it with an older onnx."
        )
    return opset


def _constant(tensor: TensorProto) -> tuple[str, np.ndarray]:
    size = math.prod(tensor.dims)
    if size > MOST_STORED:
        raise ModelError(f"Constant {tensor.name} says that it has {size} values; at most {MOST_STORED} can be read.")
    damaged = f"Constant {tensor.name} is damaged: its bytes are not those of its type and shape {list(tensor.dims)}."
    if min(tensor.dims, default=0) < 0:
        raise ModelError(damaged)
    with translated(lambda _: ModelError(damaged)):
        value = numpy_helper.to_array(tensor)
    value = value.astype(HELD_IN.get(tensor.data_type, value.dtype))
    if value.dtype.kind not in "biuf":
        expected = "integers, float16, float32 or float64"
        raise ModelError(f"Constant {tensor.name} holds {value.dtype}; expected {expected}: export it so.")
    if value.dtype.kind == "f" and not np.isfinite(value).all():
        raise ModelError(f"Constant {tensor.name} holds a value that is not finite.")
    return tensor.name, value


def _where(proto: onnx.NodeProto, place: int) -> str:
    return proto.name or f"node {place}"


def _assert_known(proto: onnx.NodeProto, place: int, opset: int) -> None:
    """Raise `ModelError` for a node that is no operator of ONNX, qonnx or FINN, or not as its opset has it."""
    where = _where(proto, place)
    if not all(
        isinstance(name, str) and (name.isprintable() and len(name) <= LONGEST_NAME)
        for name in (where, *proto.input, *proto.output)
    ):
        raise ModelError(f"Node {place} has a name that cannot be printed on one line.")
    known = proto.op_type in _CUSTOM or onnx.defs.has(proto.op_type)
    if proto.domain not in _DOMAINS or not known:
        named = f"{proto.domain}.{proto.op_type}" if proto.domain else proto.op_type
        raise ModelError(f"{where} is {named}, which is no operator of ONNX, qonnx or FINN that is known here.")
    inner = [a.g for a in proto.attribute if a.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)]
    if inner and (proto.op_type != "If" or opset < OLDEST):
        raise ModelError(
            f"{where} is {proto.op_type}, a graph inside the graph; unroll loops and branches before the export."
        )
    for graph in inner:
        for number, node in enumerate(graph.node):
            _assert_known(node, number, opset)
    if proto.domain in ("", "ai.onnx") and proto.op_type not in _CUSTOM and not inner:
        _as_the_standard_says(proto, where, opset)
    if not proto.output or not proto.output[0]:
        raise ModelError(f"{where} ({proto.op_type}) has no output.")


def reads(node: onnx.NodeProto) -> list[str]:
    """Return the inputs of a node, and what graphs inside it take from those around them."""
    found = list(node.input)
    for graph in (a.g for a in node.attribute if a.HasField("g")):
        own = {tensor.name for tensor in graph.initializer} | {name for inner in graph.node for name in inner.output}
        read = [name for inner in graph.node for name in reads(inner)] + [output.name for output in graph.output]
        found += [name for name in dict.fromkeys(read) if name and name not in own]
    return found


def _node(proto: onnx.NodeProto, place: int) -> Node:
    where = _where(proto, place)
    with translated(lambda _: ModelError(f"{where} ({proto.op_type}) has a damaged attribute.")):
        flags = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
    _assert_windows(proto, where, flags)
    operator = {"IntQuant": "Quant"}.get(proto.op_type, proto.op_type)
    inputs = reads(proto)
    while inputs and not inputs[-1]:  # an optional input that is not given
        inputs.pop()
    return Node(operator, inputs, list(proto.output), flags, where)


def _assert_windows(proto: onnx.NodeProto, where: str, flags: Mapping[str, Any]) -> None:
    """Refuse windows and steps of no size: onnx and onnxruntime divide by them and end the process."""
    least = dict.fromkeys(_COUNTS, 1) | ({} if proto.op_type == "Pad" else dict.fromkeys(_MARGINS, 0))
    for name in least.keys() & flags.keys():
        found = np.atleast_1d(flags[name])
        if found.dtype.kind not in "iu" or not np.all((found >= least[name]) & (found <= _LONGEST_STEP)):
            said = f"{where} ({proto.op_type}) has {name} {np.asarray(flags[name]).tolist()}"
            raise ModelError(f"{said}; expected whole numbers from {least[name]} to {_LONGEST_STEP}.")


def _as_the_standard_says(proto: onnx.NodeProto, where: str, opset: int) -> None:
    context = onnx.checker.C.CheckerContext()
    context.ir_version, context.opset_imports = _CHECKED, {"": opset}
    with translated(lambda said: ModelError(f"{where} ({proto.op_type}) is not as opset {opset} has it: {said}.")):
        onnx.checker.check_node(proto, context)


def _taken_as_constant(node: Node, constants: dict[str, np.ndarray]) -> bool:
    """Tell whether `node` is a Constant, which becomes one of `constants`."""
    if node.op != "Constant":
        return False
    ((kind, value),) = node.flags.items() if len(node.flags) == 1 else [("", None)]
    if isinstance(value, TensorProto):
        constants[node.output] = _constant(value)[1]
    elif kind in ("value_float", "value_int", "value_floats", "value_ints"):
        constants[node.output] = np.asarray(value, np.float32 if "float" in kind else np.int64)
    else:
        raise ModelError(f"{node} holds {kind.removeprefix('value_') or 'nothing'}; expected numbers.")
    return True


def _declared(annotation: onnx.TensorAnnotation) -> tuple[int, int] | None:
    """Return (lowest, highest) of FINN's datatype annotation, or of our own that is narrower; None for a real type."""
    said = {pair.key: pair.value for pair in annotation.quant_parameter_tensor_names}
    text = said.get("finn_datatype", "FLOAT32")
    with translated(
        lambda _: ModelError(f"{annotation.tensor_name} is annotated {text}, which is no datatype of FINN.")
    ):
        kind = DataType[text]
        low, high = map(int, said[RANGE].split()) if RANGE in said else (kind.min(), kind.max())
    if not kind.is_integer():
        return None
    if not kind.min() <= low <= high <= kind.max():
        raise ModelError(f"{annotation.tensor_name} is annotated {text} and {low} to {high}, which do not agree.")
    return int(low), int(high)


def _entry(value: onnx.ValueInfoProto, declared: tuple[int, int] | None) -> GraphInput:
    kind, dims = value.type.tensor_type.elem_type, value.type.tensor_type.shape.dim
    if kind not in _REALS and kind not in _INTEGERS:
        found = (
            TensorProto.DataType.Name(kind).lower() if kind in TensorProto.DataType.values() else f"ONNX type {kind}"
        )
        expected = "float, double, float16, or integers of 8, 16 or 32 bits"
        raise ModelError(
            f"Input {value.name} is of type {found}; expected {expected}: declare it so and cast behind it."
        )
    shape = (1, *(dim.dim_value for dim in dims[1:]))
    _assert_shape(value.name, shape, dims)
    if declared and declared[1] - declared[0] >= 2**MOST_BITS:
        raise ModelError(
            f"Input {value.name} is annotated {declared[0]} to {declared[1]}; expected at most {MOST_BITS} bits."
        )
    real = np.float32 if kind in _INTEGERS else helper.tensor_dtype_to_np_dtype(kind).type
    return GraphInput(shape, _held(value.name, kind, declared), kind in _INTEGERS, real)


def _held(name: str, kind: int, declared: tuple[int, int] | None) -> tuple[int, int] | None:
    """Return the (least, greatest) integer of an input: as annotated, else of its type; None for real numbers."""
    low, high = whole = _INTEGERS.get(kind, declared or (0, 0))
    if declared and not low <= declared[0] <= declared[1] <= high:
        raise ModelError(f"Input {name} is annotated {declared[0]} to {declared[1]}; its type holds {low} to {high}.")
    return declared or (whole if kind in _INTEGERS else None)


def _assert_shape(name: str, shape: tuple[int, ...], dims: Sequence[Any]) -> None:
    """Raise `ModelError` for an input that has no sizes, or larger ones than can be held."""
    if len(dims) > MOST_AXES:
        raise ModelError(f"Input {name} has {len(dims)} axes; at most {MOST_AXES} can be read.")
    known = [dim.dim_value or dim.dim_param or "?" for dim in dims]
    if len(dims) < 2:
        expected = "a batch and sizes behind it: export it with an axis of samples in front"
        raise ModelError(f"Input {name} has shape {known}; expected {expected}.")
    if min(shape) < 1:
        raise ModelError(
            f"Input {name} has shape {known}; expected a batch and fixed sizes behind it:"
            f" `python -m onnxruntime.tools.make_dynamic_shape_fixed --input_name {name} --input_shape 1,...`"
            " writes them into the file."
        )
    if math.prod(shape) > MOST_COMPUTED or math.prod(shape) * dims[0].dim_value > MOST_LOOKED_AT:
        said = f"at most {MOST_COMPUTED} values of a sample can be held, and {MOST_LOOKED_AT} of a batch"
        raise ModelError(f"Input {name} has shape {known}; {said}.")


def _in_order(nodes: Iterable[Node], known: set[str]) -> list[Node]:
    """Order nodes each behind those that it reads; keep the file's order where it is one.

    `ModelError` for a cycle or a missing tensor.
    """
    waiting, ordered, known = list(nodes), [], {"", *known}
    made: set[str] = set()
    for node in waiting:
        for name in node.outputs:
            if name and (name in made or name in known):
                raise ModelError(f"{node}: {name} is computed twice.")
            made.add(name)
    readers: dict[str, list[int]] = {}
    missing = []
    for place, node in enumerate(waiting):
        lacking = {name for name in node.inputs if name not in known}
        if absent := lacking - made:
            raise ModelError(f"{node} reads {sorted(absent)[0]}, which is neither computed nor stored.")
        missing.append(len(lacking))
        for name in lacking:
            readers.setdefault(name, []).append(place)
    ready = [place for place, count in enumerate(missing) if count == 0]
    while ready:
        place = ready.pop(0)
        ordered.append(waiting[place])
        for name in waiting[place].outputs:
            for reader in readers.get(name, ()):
                missing[reader] -= 1
                if missing[reader] == 0:
                    ready.append(reader)
    if len(ordered) < len(waiting):
        stuck = next(node for place, node in enumerate(waiting) if missing[place])
        raise ModelError(f"{stuck} reads, through others, what it computes itself: the graph has a cycle.")
    return ordered
