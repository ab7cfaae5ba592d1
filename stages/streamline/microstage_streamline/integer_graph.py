"""From a QCDQ part to an integer graph: our own passes, in the order in which they build on one another."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveUniqueNodeNames, SortGraph
from qonnx.transformation.infer_shapes import InferShapes

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

__all__ = ["input_ranges", "lowered", "make_integer"]


def make_integer(part: onnx.ModelProto, interface: dict[str, Any]) -> ModelWrapper:
    """The integer graph of a QCDQ part: same names at its border, batch 1, float32 containers, annotated types."""
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


def lowered(model: ModelWrapper, interface: dict[str, Any]) -> ModelWrapper:
    """A copy of an integer graph with its convolutions as FINN streams them, channels last."""
    copy = ModelWrapper(onnx.ModelProto.FromString(model.model.SerializeToString()))
    for transformation in (LowerConvs(), InferShapes(), NameByLayer(), AnnotateDatatypes(input_ranges(interface)), GiveUniqueNodeNames()):
        copy = copy.transform(transformation)
    return copy


def input_ranges(interface: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """{graph input: (low, high)} as the quantisers before it bound them."""
    return {name: tuple(tensor["range"]) for name, tensor in interface["inputs"].items()}


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
