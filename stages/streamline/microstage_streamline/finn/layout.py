"""Integer graphs as FINN streams them."""

from __future__ import annotations

from typing import Any

import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_shapes import InferShapes

from microstage_streamline.finn.annotate_datatypes import AnnotateDatatypes
from microstage_streamline.finn.lower_convs import LowerConvs
from microstage_streamline.finn.name_by_layer import NameByLayer

__all__ = ["input_ranges", "lowered"]


def lowered(model: ModelWrapper, interface: dict[str, Any]) -> ModelWrapper:
    """A copy of an integer graph with its convolutions as FINN streams them, channels last; the graph itself if they are already."""
    if not any(node.op_type == "Conv" for node in model.graph.node):
        return model
    copy = ModelWrapper(onnx.ModelProto.FromString(model.model.SerializeToString()))
    for transformation in (LowerConvs(), InferShapes(), NameByLayer(), AnnotateDatatypes(input_ranges(interface)), GiveUniqueNodeNames()):
        copy = copy.transform(transformation)
    return copy


def input_ranges(interface: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """{graph input: (low, high)} as the quantisers before it bound them."""
    return {name: tuple(tensor["range"]) for name, tensor in interface["inputs"].items()}
