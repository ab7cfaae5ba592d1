"""Read one streamlined FINN-ONNX graph into a `Part`, or say in one sentence why that cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from microstage.errors import ModelError, naming
from microstage.untrusted.onnx_file import read_onnx
from microstage_cbackend.program.ir import Part, Tensor, smallest_type
from microstage_cbackend.read.builder import ProgramBuilder
from microstage_cbackend.read.node import ReadNode
from microstage_cbackend.read.operators import LOWERINGS
from microstage_cbackend.read.ranges import Ranges

__all__ = ["datatype_range", "read_part"]


def read_part(name: str, path: Path, interface: dict[str, Any]) -> Part:
    """Read the graph at `path`, whose inputs and outputs `interface` describes, as a program called `name`.

    `interface` is {"inputs": {...}, "outputs": {...}}. Ranges start from those of the inputs (interface, else
    datatypes, else the graph's FINN annotations) and are proven layer by layer, element by element. Raises `ModelError`
    naming node and place.
    """
    with naming(path.name):
        graph = read_onnx(path).graph
    declared = _declared(graph, interface)
    constants = {t.name: _constant(name, t) for t in graph.initializer}
    part = Part(name, inputs=[_input(name, v, declared, interface) for v in graph.input if v.name not in constants])
    builder = ProgramBuilder(part)
    values: dict[str, Tensor] = {**constants, **{t.name: t for t in part.inputs}}
    ranges = Ranges(part, constants)
    for index, node in enumerate(graph.node):
        place = f"Node {node.name or node.op_type} ({node.op_type}, {index + 1} of {len(graph.node)} in {name})"
        _lower(builder, values, node, place)
        ranges.learn(node, values)
    for value in graph.output:
        if value.name not in values:
            raise ModelError(f"Output {value.name} of {name} is computed by no node; export the graph again.")
        _finish_output(builder, values[value.name], value.name, declared.get(value.name))
    return part


def datatype_range(datatype: str) -> tuple[int, int]:
    """Return the lowest and highest integer of a FINN datatype: INT8, UINT4, BIPOLAR, TERNARY, BINARY."""
    fixed = {"BIPOLAR": (-1, 1), "TERNARY": (-1, 1), "BINARY": (0, 1)}
    if datatype in fixed:
        return fixed[datatype]
    match = re.fullmatch(r"(U?)INT(\d+)", datatype)
    if not match:
        raise ModelError(
            f"Datatype {datatype} is not an integer type; streamline the graph until only integers are left."
        )
    bits = int(match[2])
    return (0, 2**bits - 1) if match[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _declared(graph: onnx.GraphProto, interface: dict[str, Any]) -> dict[str, str]:
    found = {
        a.tensor_name: pair.value
        for a in graph.quantization_annotation
        for pair in a.quant_parameter_tensor_names
        if pair.key == "finn_datatype"
    }
    for group in ("inputs", "outputs"):
        for name, facts in interface.get(group, {}).items():
            if "datatype" in facts:
                found[name] = facts["datatype"]
    return found


def _constant(part: str, tensor: onnx.TensorProto) -> Tensor:
    values = numpy_helper.to_array(tensor)
    data = np.asarray(values, dtype=np.float64) if values.dtype.kind == "f" else values
    if values.dtype.kind == "f" and (
        not np.all(np.isfinite(data)) or np.any(data != np.rint(data)) or np.any(np.abs(data) > 2**53)
    ):
        raise ModelError(
            f"Constant {tensor.name} of {part} holds values that are no integers; streamline its scales away."
        )
    data = data.astype(np.int64)
    low, high = (int(data.min()), int(data.max())) if data.size else (0, 0)
    return Tensor(tensor.name, tuple(data.shape), low, high, data)


def _input(part: str, value: onnx.ValueInfoProto, declared: dict[str, str], interface: dict[str, Any]) -> Tensor:
    shape = tuple(d.dim_value for d in value.type.tensor_type.shape.dim)
    if not shape or 0 in shape or (len(shape) > 1 and shape[0] != 1):
        raise ModelError(
            f"Input {value.name} of {part} has shape {list(shape)}; fix every dimension, and the batch to 1."
        )
    if value.name not in declared:
        raise ModelError(
            f"Input {value.name} of {part} has no integer datatype; annotate it or list it in interface.json."
        )
    low, high = interface.get("inputs", {}).get(value.name, {}).get("range") or datatype_range(declared[value.name])
    return Tensor(value.name, shape, low, high, declared=smallest_type(low, high, f"Input {value.name} of {part}"))


def _lower(builder: ProgramBuilder, values: dict[str, Tensor], node: onnx.NodeProto, place: str) -> None:
    lowering = LOWERINGS.get(node.op_type)
    if lowering is None:
        raise ModelError(
            f"{place} is an operator that the C generator cannot make; it would be possible with a kernel in "
            f"stages/cbackend and a lowering beside {', '.join(sorted(LOWERINGS))}."
        )
    missing = [name for name in node.input if name and name not in values]
    if missing:
        raise ModelError(f"{place} reads {missing[0]}, which no node before it computes; sort the graph topologically.")
    inputs = [values[name] if name else None for name in node.input]
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    for name, tensor in zip(
        node.output, lowering(ReadNode(builder, node.op_type, place, inputs, attributes, list(node.output)))
    ):
        if tensor is not None:
            values[name] = tensor


def _finish_output(builder: ProgramBuilder, value: Tensor, name: str, datatype: str | None) -> None:
    """Append `value` to the part's outputs: typed as declared, and copied where its memory is another's.

    A declared type that is narrower than what is provable here (it may be proven channel by channel) is widened, which
    is noted.
    """
    part = builder.part
    place = f"Output {name} of {part.name}"
    if datatype:
        low, high = datatype_range(datatype)
        reach = min(low, value.root.low), max(high, value.root.high)
        if reach != (low, high):
            found = f"{value.root.low}..{value.root.high}"
            part.notes.append(
                f"{place} is declared {datatype} but can reach {found} as far as is provable here; it is widened."
            )
    taken = value.root in part.inputs or value.data is not None or value.root in part.outputs
    if taken or not value.dense or value.root.size != value.size:
        copy = Tensor(name, value.shape, value.low, value.high)
        builder.copy(place, value, copy)
        value = copy
    if datatype:
        value.root.declared = smallest_type(*reach, place)
    value.root.shape = value.shape
    part.outputs.append(value.root)
    part.output_names.append(name)
