"""Lay integer graphs out as FINN streams them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.general import GiveUniqueNodeNames, SortGraph
from qonnx.transformation.infer_shapes import InferShapes

from microstage_streamline.finn.annotate_datatypes import AnnotateDatatypes
from microstage_streamline.finn.bipolar_to_xnor import BipolarToXnor
from microstage_streamline.finn.keep_layout import KeepLayout, is_streamed
from microstage_streamline.finn.lower_convs import LowerConvs
from microstage_streamline.finn.merge_products import MergeSummedProducts
from microstage_streamline.finn.name_by_layer import NameByLayer
from microstage_streamline.finn.stored import StoredLayout, natural
from microstage_streamline.finn.strip_moves import StripMoves

__all__ = ["LaidOut", "as_it_is", "input_ranges", "lay_out", "streams"]


@dataclass(frozen=True)
class LaidOut:
    """`model` in FINN's form; `stored`: how each tensor of the graph before lies in it; `moves`: outputs of the moves
    that were put in; `kept`: why convolutions that are no windows and products stay, by tensor.
    """

    model: ModelWrapper
    stored: dict[str, StoredLayout]
    moves: set[str]
    kept: dict[str, str]


def lay_out(model: ModelWrapper, ranges: dict[str, tuple[int, int]]) -> LaidOut:
    """Bring an integer graph into FINN's form: windows and products, channels last, bits where values are -1 and 1.

    Inputs and outputs lie as they did, by moves at the border.
    """
    lower, names = KeepLayout() if is_streamed(model) else LowerConvs(), NameByLayer()
    model = _transformed(
        model,
        MergeSummedProducts(),
        SortGraph(),
        InferShapes(),
        lower,
        InferShapes(),
        BipolarToXnor(),
        names,
        AnnotateDatatypes(ranges),
        GiveUniqueNodeNames(),
    )
    return LaidOut(
        model, {name: names.followed(found) for name, found in lower.stored.items()}, lower.moves, lower.kept
    )


def as_it_is(model: ModelWrapper) -> LaidOut:
    """Return an integer graph that FINN-ONNX cannot hold: every tensor lies as its graph says."""
    tensors = {
        name: tuple(model.get_tensor_shape(name))
        for node in model.graph.node
        for name in (*node.input, *node.output)
        if name
    }
    tensors |= {value.name: tuple(model.get_tensor_shape(value.name)) for value in model.graph.output}
    stored = {name: StoredLayout(name, shape, natural(len(shape))) for name, shape in tensors.items()}
    return LaidOut(model, stored, set(), {})


def streams(found: LaidOut, ranges: dict[str, tuple[int, int]], turned: bool = True) -> ModelWrapper:
    """Return the model without the moves at its border.

    At outputs all of them go if `turned`, else those alone where the axes keep their order.
    """
    ends = {
        value.name: [axis for axis in found.stored[value.name].axes if axis is not None]
        for value in found.model.graph.output
    }
    outputs = [name for name, axes in ends.items() if turned or axes == sorted(axes)]
    return _transformed(
        found.model, StripMoves(found.moves, outputs), InferShapes(), AnnotateDatatypes(ranges), GiveUniqueNodeNames()
    )


def _transformed(model: ModelWrapper, *steps) -> ModelWrapper:
    model = ModelWrapper(onnx.ModelProto.FromString(model.model.SerializeToString()))
    for step in steps:
        model = model.transform(step)
    return model


def input_ranges(interface: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return {graph input: (low, high)} as the quantisers before it bound them."""
    return {name: tuple(tensor["range"]) for name, tensor in interface["inputs"].items()}
