"""Convert an integer graph to FINN's hardware layers, and count what they need.

FINN imports torch, which its layers here never use: `torch_stub.provide` comes before the import of this module.
"""

from __future__ import annotations

import copy
import logging
import warnings
from typing import Any

from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
from finn.analysis.fpgadataflow.res_estimation import res_estimation
from finn.transformation.fpgadataflow.convert_to_hw.binary_matrix_vector_activation import (
    InferBinaryMatrixVectorActivation,
)
from finn.transformation.fpgadataflow.convert_to_hw.concat import InferConcatLayer
from finn.transformation.fpgadataflow.convert_to_hw.conv_inp_gen import InferConvInpGen
from finn.transformation.fpgadataflow.convert_to_hw.duplicate_streams import InferDuplicateStreamsLayer
from finn.transformation.fpgadataflow.convert_to_hw.elementwise_binary_operation import InferElementwiseBinaryOperation
from finn.transformation.fpgadataflow.convert_to_hw.label_select import InferLabelSelectLayer
from finn.transformation.fpgadataflow.convert_to_hw.pool import InferPool
from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
    InferQuantizedMatrixVectorActivation,
)
from finn.transformation.fpgadataflow.convert_to_hw.thresholding import InferThresholdingLayer
from finn.transformation.fpgadataflow.convert_to_hw.vector_vector_activation import InferVectorVectorActivation
from finn.transformation.fpgadataflow.set_folding import SetFolding
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_data_layouts import InferDataLayouts
from qonnx.transformation.infer_shapes import InferShapes

from microstage.errors import ModelError

__all__ = ["counted", "to_hardware"]

_HARDWARE = "finn.custom_op.fpgadataflow"
_SAME_STREAM = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity")
_RESOURCES = ("LUT", "BRAM_18K", "URAM", "DSP")


def to_hardware(model: ModelWrapper, fpga_part: str, target_cycles: int) -> ModelWrapper:
    """Return the integer graph as FINN hardware layers, specialised for the part and folded to `target_cycles` a frame.

    Thresholds are layers of their own: of those inside a matrix unit, which compares with all of them at once, FINN
    counts neither memory nor comparators.
    """
    model = ModelWrapper(copy.deepcopy(model.model))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("finn_logger").setLevel(logging.ERROR)  # it tells of each type and layout that it infers
        for step in (*_layers(), *_specialised(fpga_part)):
            model = model.transform(step)
        try:
            return model.transform(SetFolding(target_cycles, mvau_wwidth_max=4096))
        except KeyError:  # FINN looks up what stands between its layers as if it were one of them
            raise ModelError(
                f"FINN has no layer for {', '.join(_unmapped(model))}, and folds no graph with that between its layers"
            ) from None


def _layers() -> list[Transformation]:
    return [
        InferDataLayouts(),
        InferThresholdingLayer(),
        InferBinaryMatrixVectorActivation(),
        InferVectorVectorActivation(),
        InferQuantizedMatrixVectorActivation(),
        InferPool(),
        InferLabelSelectLayer(),
        InferConvInpGen(),
        InferElementwiseBinaryOperation(),
        InferConcatLayer(),
        InferDuplicateStreamsLayer(),
    ]


def _specialised(fpga_part: str) -> list[Transformation]:
    return [
        GiveUniqueNodeNames(),
        InferShapes(),
        SpecializeLayers(fpga_part),
        BypassReshapes(),
        GiveUniqueNodeNames(),
    ]


class BypassReshapes(Transformation):
    """Remove reshapes: a stream of rows is the flattened stream, so that nothing is built for it.

    FINN's folding stops at a node that is no layer of its own.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        border = {value.name for value in (*model.graph.input, *model.graph.output)}
        for node in [
            n for n in model.graph.node if n.op_type in _SAME_STREAM and not {n.input[0], n.output[0]} <= border
        ]:
            old, new = (node.input[0], node.output[0]) if node.output[0] in border else (node.output[0], node.input[0])
            model.graph.node.remove(node)
            for other in model.graph.node:
                for names in (other.input, other.output):
                    names[:] = [new if name == old else name for name in names]
        return model, False


def counted(model: ModelWrapper, fpga_part: str, clk_ns: float) -> dict[str, Any]:
    """Count cycles a layer, frames a second and resources of a graph of hardware layers."""
    cycles = {name: int(value) for name, value in model.analysis(exp_cycles_per_layer).items()}
    resources = res_estimation(model, fpga_part)
    unknown = sorted(
        {name.rsplit("_", 1)[0] for name, r in resources.items() if not any(r[kind] for kind in _RESOURCES)}
    )
    slowest = max(cycles.values(), default=0)
    return {
        "cycles": cycles,
        "slowest_layer_cycles": slowest,
        "frames_per_second": round(1e9 / (slowest * clk_ns), 3) if slowest else 0.0,
        "resources": {kind: int(sum(r[kind] for r in resources.values())) for kind in _RESOURCES},
        "not_estimated": unknown,
        "unmapped": _unmapped(model),
    }


def _unmapped(model: ModelWrapper) -> list[str]:
    return [f"{node.op_type} -> {node.output[0]}" for node in model.graph.node if not node.domain.startswith(_HARDWARE)]
