"""From a QCDQ part to an integer graph: our own passes, in the order in which they build on one another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onnx
from onnx import TensorProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveUniqueNodeNames, SortGraph
from qonnx.transformation.infer_shapes import InferShapes

from microstage.errors import ModelError
from microstage_streamline.graph.read import graph_of
from microstage_streamline.own_network import integers_of
from microstage_streamline.passes import (
    AbsorbIntoTopK,
    AnnotateDatatypes,
    BipolarToXnor,
    FoldConstantLayout,
    LowerConvs,
    LowerGemm,
    MergeSummedProducts,
    NameByLayer,
    QuantiseBeforeMoving,
    RemoveScales,
    ThresholdQuantisers,
)
from microstage_streamline.finn.layout import input_ranges

__all__ = ["make_integer"]


def make_integer(part: onnx.ModelProto, interface: dict[str, Any]) -> ModelWrapper:
    """The integer graph of a QCDQ part: same names at its border, batch 1, float32 containers, annotated types.

    A plain sequence of layers comes in FINN's form, channels last. A part with branches, groups or averages is made integer as a network
    of one's own is, convolutions left as they are; `ModelError` says why neither can be.
    """
    try:
        return _of_layers(part, interface)
    except ModelError as error:
        in_order = error
    try:
        return _of_branches(part, interface)
    except ModelError as error:
        raise ModelError(f"{in_order} Nor does it become integer as a network of branches: {error}") from in_order


def _of_branches(part: onnx.ModelProto, interface: dict[str, Any]) -> ModelWrapper:
    graph, ranges = graph_of(_batch_of_one(part, interface), part.graph.name), input_ranges(interface)
    graph.inputs = {name: replace(entry, datatype=ranges[name]) for name, entry in graph.inputs.items()}
    _, made, written = integers_of(graph)
    if made.unresolved:
        found = made.unresolved[0]
        raise ModelError(f"{found.layer or found.tensor} -> {found.tensor}: {found.reason}")
    model, taken = written.model, {name for node in written.model.graph.node for name in node.output}
    for node in part.graph.node:  # integers keep the name of their boundary, not of what they stand for
        if node.op_type == "DequantizeLinear" and node.output[0] in taken and node.input[0] not in taken:
            model.rename_tensor(node.output[0], node.input[0])
            taken.add(node.input[0])
    for transformation in (InferShapes(), NameByLayer(), AnnotateDatatypes(ranges), GiveUniqueNodeNames()):
        model = model.transform(transformation)
    return model


def _of_layers(part: onnx.ModelProto, interface: dict[str, Any]) -> ModelWrapper:
    ranges = input_ranges(interface)
    model = ModelWrapper(_batch_of_one(part, interface))
    for transformation in (LowerGemm(), FoldConstantLayout(), QuantiseBeforeMoving(), AbsorbIntoTopK()):
        model = model.transform(transformation)
    model = model.transform(ThresholdQuantisers(ranges))
    model = model.transform(RemoveScales())
    model = model.transform(MergeSummedProducts())
    model = _float_containers(model)
    for transformation in (SortGraph(), InferShapes(), LowerConvs(), InferShapes(), BipolarToXnor(), NameByLayer()):
        model = model.transform(transformation)
    return model.transform(AnnotateDatatypes(ranges)).transform(GiveUniqueNodeNames())


def _batch_of_one(part: onnx.ModelProto, interface: dict[str, Any]) -> onnx.ModelProto:
    copy = onnx.ModelProto.FromString(part.SerializeToString())
    for side in ("input", "output"):
        for value in getattr(copy.graph, side):
            shape = interface[f"{side}s"][value.name]["shape"]
            value.type.tensor_type.ClearField("shape")
            for size in [1, *shape[1:]]:
                value.type.tensor_type.shape.dim.add().dim_value = size
    return copy


def _float_containers(model: ModelWrapper) -> ModelWrapper:
    """FINN keeps integers in float32 tensors with annotations; the border's element types follow, but for the places of a TopK."""
    places = {node.output[1] for node in model.graph.node if node.op_type == "TopK"}
    for value in [value for value in [*model.graph.input, *model.graph.output] if value.name not in places]:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    del model.graph.value_info[:]
    return model
