"""Convert an integer graph to FINN's hardware layers, as its builder does behind our graphs.

The steps are those of `hand_over/build.py`, called one by one, so that no Vivado is needed: what is estimated here is
what is built there, and layers have the same names. FINN is loaded when it is asked for: it takes seconds, and imports
torch, for which something has to stand in first.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import onnx
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.create_generic_partitions import PartitionFromLambda
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_data_layouts import InferDataLayouts
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from microstage.errors import ModelError
from microstage_streamline.finn.bypass_reshapes import SAME_STREAM, BypassReshapes
from microstage_streamline.finn.torch_stub import provide

__all__ = ["Partition", "finn", "minimised", "minimises", "partitioned", "quietly", "specialised"]

_HARDWARE = "finn.custom_op.fpgadataflow"
_XNOR = "XnorPopcountMatMul"
_LAYERS = (
    "thresholding.InferThresholdingLayer",
    "binary_matrix_vector_activation.InferBinaryMatrixVectorActivation",
    "quantized_matrix_vector_activation.InferQuantizedMatrixVectorActivation",
    "vector_vector_activation.InferVectorVectorActivation",
    "label_select.InferLabelSelectLayer",
    "pool.InferPool",
    "conv_inp_gen.InferConvInpGen",
    "concat.InferConcatLayer",
    "elementwise_binary_operation.InferElementwiseBinaryOperation",
    "duplicate_streams.InferDuplicateStreamsLayer",
)
"FINN's transformations of a graph into its layers, in the order of its `step_convert_to_hw`."


@dataclass(frozen=True)
class Partition:
    """`layers` of FINN alone, and the `parent` graph around them, in which one node stands for all of these.

    `bypassed`: reshapes that were between layers.
    """

    parent: ModelWrapper
    layers: ModelWrapper
    bypassed: list[str]

    @property
    def node(self) -> onnx.NodeProto:
        return next(node for node in self.parent.graph.node if node.op_type == "GenericPartition")

    @property
    def left_out(self) -> list[onnx.NodeProto]:
        """What software has to do in front of the layers and behind them, beyond taking a stream as it is."""
        return [node for node in self.parent.graph.node if node.op_type not in ("GenericPartition", *SAME_STREAM)]


def partitioned(model: ModelWrapper) -> Partition:
    """Return what FINN builds of an integer graph, and what is around it; `ModelError` where that stands between.

    Thresholds are layers of their own: of those inside a matrix unit, which compares with all of them at once, FINN
    counts neither memory nor comparators.
    """
    made = ModelWrapper(onnx.ModelProto.FromString(model.model.SerializeToString()))
    with quietly():
        for name in _LAYERS:
            made = made.transform(finn(f"transformation.fpgadataflow.convert_to_hw.{name}")())
        made = made.transform(finn("transformation.move_reshape.RemoveCNVtoFCFlatten")())
        bypass = BypassReshapes()
        for step in (bypass, GiveUniqueNodeNames(), InferDataLayouts(), InferDataTypes(), InferShapes()):
            made = made.transform(step)
        return _split(minimised(made, minimises(model)), bypass.removed)


def _split(model: ModelWrapper, bypassed: list[str]) -> Partition:
    lacking = [f"{node.op_type} -> {node.output[0]}" for node in model.graph.node if not _is_layer(node)]
    if len(lacking) == len(model.graph.node):
        raise ModelError(f"FINN has no layer for {', '.join(lacking)}")
    with tempfile.TemporaryDirectory() as folder:
        try:
            parent = model.transform(PartitionFromLambda(lambda node: 0 if _is_layer(node) else -1, folder))
        except AssertionError:  # what stands between layers reads some and is read by others
            raise ModelError(
                f"FINN has no layer for {', '.join(lacking)}, and builds no graph with that between its layers"
            ) from None
        return Partition(parent, ModelWrapper(f"{folder}/partition_0.onnx"), bypassed)


def _is_layer(node: onnx.NodeProto) -> bool:
    """Tell whether FINN has the node as one of its layers."""
    return node.domain.startswith(_HARDWARE)


def specialised(layers: ModelWrapper, fpga_part: str) -> ModelWrapper:
    """Return layers as RTL or C++, by what FINN has for the part."""
    specialise = finn("transformation.fpgadataflow.specialize_layers.SpecializeLayers")
    return _transformed(layers, [specialise(fpga_part), GiveUniqueNodeNames(), InferShapes(), InferDataTypes()])


def minimises(model: ModelWrapper) -> bool:
    """Tell whether FINN may narrow the sums of an integer graph.

    Not where it counts equal bits: it narrows these sums as if they were of -1 and 1, and 784 bits, of which all may be
    equal, get an INT10.
    """
    return all(node.op_type != _XNOR for node in model.graph.node)


def minimised(layers: ModelWrapper, narrow: bool) -> ModelWrapper:
    """Return layers as FINN's `step_minimize_bit_width` leaves them, with `minimize_bit_width=narrow`."""
    place = "transformation.fpgadataflow.minimize"
    weights, sums = f"{place}_weight_bit_width.MinimizeWeightBitWidth", f"{place}_accumulator_width"
    narrower = [finn(weights), finn(f"{sums}.MinimizeAccumulatorWidth"), InferDataTypes] if narrow else []
    closing = [finn(weights), InferDataTypes] if narrow else []
    clip = finn("transformation.streamline.round_thresholds.RoundAndClipThresholds")
    return _transformed(layers, [step() for step in (*narrower, clip, InferDataTypes, *closing)])


def _transformed(model: ModelWrapper, steps: Iterable[Transformation]) -> ModelWrapper:
    for step in steps:
        model = model.transform(step)
    return model


@contextmanager
def quietly() -> Iterator[None]:
    """Keep FINN from telling of each type and layout that it infers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("finn_logger").setLevel(logging.ERROR)
        yield


def finn(name: str) -> Any:
    """Return what FINN calls `name`, module and all."""
    provide()
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(f"finn.{module}"), attribute)
