"""Write the integers as ONNX, batch 1, under names that the file's user knows.

FINN's form where it can hold them: float32 containers with annotated datatypes. Else int64, and operators of a domain
of our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveUniqueNodeNames

from microstage.integer.fixed_point import DOMAIN
from microstage.integer.registry import Kind, named
from microstage.integer.tensor import narrowed
from microstage_streamline.finn.annotate_datatypes import datatype_of
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.functions import straight_line
from microstage_streamline.integerise.integer_graph import InputEncoding, IntegerGraph
from microstage_streamline.integerise.integers import Integers, exact_scale
from microstage_streamline.normalise.normal_graph import NormalGraph

__all__ = ["IntegerModel", "beyond_finn", "origin_of", "write"]

_DOMAIN = "qonnx.custom_op.general"
_CUSTOM = ("MultiThreshold", "Im2Col", "MaxPoolNHWC", "XnorPopcountMatMul")
_SHAPES = (Kind.MOVES, Kind.ORDER)  # their constants are int64 in ONNX
_OPSET, _IR = 13, 8
_FLOAT32, _SUMS = 24, 32  # bits: of a constant that float32 holds, of a sum that FINN's layers have


@dataclass(frozen=True)
class IntegerModel:
    """`model`, in the order of the cleaned graph; `interface` as in interface.json; `entered` {graph input: tensor of
    the cleaned graph}; `renamed` {tensor of the cleaned graph: tensor of the model} where they differ.
    """

    model: ModelWrapper
    interface: dict[str, Any]
    entered: dict[str, str]
    renamed: dict[str, str]


def beyond_finn(made: IntegerGraph) -> str:
    """Return why FINN-ONNX cannot hold the integers; nothing where it can."""
    for node in made.nodes:
        if node.op == "Requantize":
            return f"{node.layer or node.op} -> {node.output} has more or larger thresholds than its float32 holds"
        if named(node.op).kind is Kind.FIXED:
            return f"{node} has no form there"
        for name in node.inputs:
            most = int(np.abs(made.constants.get(name, 0)).max(initial=0))
            if most > 1 << _FLOAT32:
                return f"{node} reads {name} of {most.bit_length()} bits, and its float32 holds {_FLOAT32}"
        for name in filter(None, node.outputs):
            most = max(abs(end) for end in made.ranges[name].ends)
            if most >= 1 << (_SUMS - 1):
                return f"{node} may need {most.bit_length() + 1} bits, and its sums have {_SUMS}"
    return ""


def write(made: IntegerGraph, normal: NormalGraph, name: str, wide: bool = False) -> IntegerModel:
    """Return the model of what was made integer, a graph called `name`; `wide`: in int64, else in FINN's float32."""
    entered, element = _entries(made, normal), TensorProto.INT64 if wide else TensorProto.FLOAT
    renamed = {tensor: name for name, tensor in entered.items()}
    passed_on = _name_outputs(made, renamed)
    graph = helper.make_graph(
        [*(_proto(node, renamed) for node in made.nodes), *passed_on],
        name,
        [_value(entry, made.ranges[tensor].low.shape, element) for entry, tensor in entered.items()],
        [
            _value(output, answer.range.low.shape, _element(made, answer.name, element))
            for output, answer in made.answers().items()
        ],
        [
            numpy_helper.from_array(_contained(made, stored, value, wide), stored)
            for stored, value in sorted(made.constants.items())
        ],
    )
    opsets = [("", _OPSET), (_DOMAIN, 1), *([(DOMAIN, 1)] if wide else [])]
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets]
    model = ModelWrapper(helper.make_model(graph, opset_imports=imports, ir_version=_IR))
    _annotate(model, made, renamed, element)
    onnx.checker.check_model(model.model)
    return IntegerModel(model.transform(GiveUniqueNodeNames()), _interface(made, normal, entered), entered, renamed)


def _name_outputs(made: IntegerGraph, renamed: dict[str, str]) -> list[onnx.NodeProto]:
    """Give tensors that are answered the names of the outputs, in `renamed`.

    Return nodes that pass on those that have a name of their own already.
    """
    passed_on = []
    for output, answer in made.answers().items():
        tensor = answer.name
        if tensor in renamed or tensor != output and tensor in made.outputs:  # it has a name of its own already
            passed_on.append(helper.make_node("Identity", [renamed.get(tensor, tensor)], [output]))
            made.ranges[output] = made.ranges[tensor]
        else:
            renamed[tensor] = output
    return passed_on


def _entries(made: IntegerGraph, normal: NormalGraph) -> dict[str, str]:
    """Return {name in the model: tensor}, in the file's order: the file's own input name where one tensor of integers
    stands for it.
    """
    origin, order = {tensor: origin_of(tensor, normal) for tensor in made.inputs}, list(normal.graph.inputs)
    origin = dict(sorted(origin.items(), key=lambda entry: order.index(entry[1])))
    own = [name for tensor, name in origin.items() if not _behind(made, tensor)]
    names = {}
    for tensor, name in origin.items():
        if _behind(made, tensor):
            name = tensor
        elif own.count(name) > 1:
            name = f"{name}.{tensor.split('.before_')[0]}"
        names[name] = tensor
    return names


def _behind(made: IntegerGraph, tensor: str) -> bool:
    """Tell whether integers are not those of the file's input, but of a tensor behind it."""
    return tensor in made.entries and made.entries[tensor].behind


def origin_of(tensor: str, normal: NormalGraph) -> str:
    """Return the graph input that a tensor behind the first quantiser comes from."""
    while tensor not in normal.graph.inputs:
        maker = next(node for node in normal.graph.nodes if tensor in node.outputs)
        tensor = next(name for name in maker.inputs if name and name not in normal.graph.constants)
    return tensor


def _proto(node: Node, renamed: Mapping[str, str]) -> onnx.NodeProto:
    proto = node.proto(_DOMAIN if node.op in _CUSTOM else DOMAIN if named(node.op).kind is Kind.FIXED else "")
    for names in (proto.input, proto.output):
        for index, name in enumerate(names):
            names[index] = renamed.get(name, name)
    return proto


def _value(name: str, shape, element: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, list(shape))


def _element(made: IntegerGraph, name: str, element: int) -> int:
    """Return `element`, which integers are kept in; int64 for places that ArgMax and TopK give, moved about or not."""
    maker = next((node for node in made.nodes if name in node.outputs), None)
    while maker is not None and named(maker.op).kind is Kind.MOVES:
        name = maker.inputs[0]
        maker = next((node for node in made.nodes if name in node.outputs), None)
    places = maker is not None and named(maker.op).kind is Kind.ORDER and name == maker.outputs[-1]
    return TensorProto.INT64 if places else element


def _contained(made: IntegerGraph, name: str, value: np.ndarray, wide: bool) -> np.ndarray:
    data = {"Concat": 0, "Pad": 2}  # from this input on, what is moved rather than how
    shapes = wide or any(
        name in node.inputs and not (node.op in data and node.inputs.index(name) >= data[node.op])
        for node in made.nodes
        if named(node.op).kind in _SHAPES
    )
    return np.ascontiguousarray(value, np.int64 if shapes else np.float32)


def _annotate(model: ModelWrapper, made: IntegerGraph, renamed: Mapping[str, str], element: int) -> None:
    """Annotate every tensor with its narrowest type; the output of a MultiThreshold has the type that it declares."""
    border = {value.name for value in [*model.graph.input, *model.graph.output]}
    for node in model.graph.node:
        for name in node.output:
            tensor = next((old for old, new in renamed.items() if new == name), name)
            if name not in border:
                model.set_tensor_shape(name, list(made.ranges[tensor].low.shape), _element(made, tensor, element))
            model.set_tensor_datatype(name, datatype_of(*made.ranges[tensor].ends))
    for value in model.graph.input:
        tensor = next((old for old, new in renamed.items() if new == value.name), value.name)
        model.set_tensor_datatype(value.name, datatype_of(*made.ranges[tensor].ends))
    for name, value in made.constants.items():
        if model.get_initializer(name).dtype == np.float32:
            model.set_tensor_datatype(name, datatype_of(int(value.min()), int(value.max())))


def _interface(made: IntegerGraph, normal: NormalGraph, entered: Mapping[str, str]) -> dict[str, Any]:
    inputs, outputs = {}, {}
    for name, tensor in entered.items():
        inputs[name] = _described_entry(made, normal, name, tensor)
    for name, found in made.outputs.items():
        if isinstance(found, Integers):
            outputs[name] = _described(found, exact_scale(found.example))
        else:
            scale, offset = straight_line(found, normal.graph.constants)
            outputs[name] = {**_described(found.start, scale), "offset": _flat(offset, found.start.range.low.shape)}
    for side in (inputs, outputs):
        for name in side.keys() & normal.graph.described.keys():
            side[name] |= normal.graph.described[name]
    return {"inputs": inputs, "outputs": outputs}


def _described_entry(made: IntegerGraph, normal: NormalGraph, name: str, tensor: str) -> dict[str, Any]:
    """Describe integers that enter: how they are made of real values and (`of`) of which input, if named otherwise."""
    found = made.inputs[tensor]
    entered = made.entries.get(tensor, InputEncoding(exact_scale(found.example)))
    said = {**_described(found, entered.scale), "zero_point": entered.zero_point}
    if np.any(entered.offset):
        said["offset"] = _flat(entered.offset, found.range.low.shape)
    if entered.rounding == "SIGN":
        said["datatype"] = "BIPOLAR"
    elif entered.rounding != "ROUND":
        said["rounding"] = entered.rounding
    if entered.precision and not np.any(entered.offset):
        said["precision"] = entered.precision
    if entered.thresholds is not None:
        said["thresholds"] = _narrow_list(entered.thresholds)
    origin = origin_of(tensor, normal)
    return {**said, **({"of": origin} if origin != name and not entered.behind else {})}


def _described(found: Integers, scale: np.ndarray) -> dict[str, Any]:
    low, high = found.range.ends
    return {
        "datatype": datatype_of(low, high).name,
        "range": [low, high],
        "shape": list(found.range.low.shape),
        "zero_point": 0,
        "scale": _flat(scale, found.range.low.shape),
        "unit": "1",
    }


def _narrow_list(thresholds: np.ndarray) -> list:
    """Return thresholds [..., levels - 1] as nested lists, one row for all values where they are the same."""
    return narrowed(thresholds).tolist()


def _flat(value: np.ndarray, shape: tuple[int, ...]) -> float | list[float]:
    """Return one number, or one for each value of a tensor of `shape`."""
    flat = np.broadcast_to(np.asarray(value, np.float64), shape).reshape(-1)
    return float(flat[0]) if (flat == flat[0]).all() else flat.tolist()
