"""Integer graphs as FINN streams them."""

from __future__ import annotations

from typing import Any

import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveUniqueNodeNames, SortGraph
from qonnx.transformation.infer_shapes import InferShapes

from microstage_streamline.finn.annotate_datatypes import AnnotateDatatypes
from microstage_streamline.finn.bipolar_to_xnor import BipolarToXnor
from microstage_streamline.finn.lower_convs import LowerConvs
from microstage_streamline.finn.merge_products import MergeSummedProducts
from microstage_streamline.finn.name_by_layer import NameByLayer

__all__ = ["input_ranges", "laid_out", "streamed"]


def laid_out(model: ModelWrapper, ranges: dict[str, tuple[int, int]]) -> ModelWrapper:
    """A copy of an integer graph in FINN's form: convolutions as windows and products, channels last, bits where -1 meets 1. A
    graph of branches keeps its convolutions."""
    windows = () if _has_branches(model) else (LowerConvs(), InferShapes())
    return _transformed(model, (MergeSummedProducts(), SortGraph(), InferShapes(), *windows, BipolarToXnor(), NameByLayer(),
                                AnnotateDatatypes(ranges), GiveUniqueNodeNames()))


def streamed(model: ModelWrapper, ranges: dict[str, tuple[int, int]]) -> ModelWrapper:
    """A copy of an integer graph, all of whose convolutions are windows and products."""
    return _transformed(model, (LowerConvs(), InferShapes(), BipolarToXnor(), NameByLayer(), AnnotateDatatypes(ranges), GiveUniqueNodeNames()))


def _transformed(model: ModelWrapper, steps) -> ModelWrapper:
    model = ModelWrapper(onnx.ModelProto.FromString(model.model.SerializeToString()))
    for step in steps:
        model = model.transform(step)
    return model


def _has_branches(model: ModelWrapper) -> bool:
    images = [node for node in model.graph.node if len(model.get_tensor_shape(node.output[0]) or []) > 2]
    joins = any(sum(model.get_initializer(name) is None for name in node.input) > 1 for node in images)
    return joins or any(a.i > 1 for node in images if node.op_type == "Conv" for a in node.attribute if a.name == "group")


def input_ranges(interface: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """{graph input: (low, high)} as the quantisers before it bound them."""
    return {name: tuple(tensor["range"]) for name, tensor in interface["inputs"].items()}
