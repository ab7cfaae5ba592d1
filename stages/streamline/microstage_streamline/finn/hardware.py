"""Convert an integer graph to FINN's hardware layers, and count what they need.

FINN is loaded when it is asked for: it takes seconds, and imports torch, for which something has to stand in first.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_data_layouts import InferDataLayouts
from qonnx.transformation.infer_shapes import InferShapes

from microstage.errors import ModelError
from microstage_streamline.finn.torch_stub import provide

__all__ = ["counted", "to_hardware"]

_HARDWARE = "finn.custom_op.fpgadataflow"
_SAME_STREAM = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity")
_RESOURCES = ("LUT", "BRAM_18K", "URAM", "DSP")
_LAYERS = (
    "thresholding.InferThresholdingLayer",
    "binary_matrix_vector_activation.InferBinaryMatrixVectorActivation",
    "vector_vector_activation.InferVectorVectorActivation",
    "quantized_matrix_vector_activation.InferQuantizedMatrixVectorActivation",
    "pool.InferPool",
    "label_select.InferLabelSelectLayer",
    "conv_inp_gen.InferConvInpGen",
    "elementwise_binary_operation.InferElementwiseBinaryOperation",
    "concat.InferConcatLayer",
    "duplicate_streams.InferDuplicateStreamsLayer",
)
"FINN's transformations of a graph into its layers, in the order in which they are applied."


def to_hardware(model: ModelWrapper, fpga_part: str, target_cycles: int) -> ModelWrapper:
    """Return the integer graph as FINN hardware layers, specialised for the part and folded to `target_cycles` a frame.

    Thresholds are layers of their own: of those inside a matrix unit, which compares with all of them at once, FINN
    counts neither memory nor comparators.
    """
    model = ModelWrapper(copy.deepcopy(model.model))
    fold = _finn("transformation.fpgadataflow.set_folding.SetFolding")(target_cycles, mvau_wwidth_max=4096)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("finn_logger").setLevel(logging.ERROR)  # it tells of each type and layout that it infers
        for step in _steps(fpga_part):
            model = model.transform(step)
        try:
            return model.transform(fold)
        except KeyError:  # FINN looks up what stands between its layers as if it were one of them
            raise ModelError(
                f"FINN has no layer for {', '.join(_unmapped(model))}, and folds no graph with that between its layers"
            ) from None


def _steps(fpga_part: str) -> list[Transformation]:
    """Return what turns an integer graph into layers for `fpga_part`."""
    specialise = _finn("transformation.fpgadataflow.specialize_layers.SpecializeLayers")
    return [
        InferDataLayouts(),
        *(_finn(f"transformation.fpgadataflow.convert_to_hw.{layer}")() for layer in _LAYERS),
        GiveUniqueNodeNames(),
        InferShapes(),
        specialise(fpga_part),
        BypassReshapes(),
        GiveUniqueNodeNames(),
    ]


def _finn(name: str) -> Any:
    """Return what FINN calls `name`, module and all."""
    provide()
    module, _, attribute = name.rpartition(".")
    return getattr(import_module(f"finn.{module}"), attribute)


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


def counted(model: ModelWrapper, made_of: ModelWrapper, fpga_part: str, clk_ns: float) -> dict[str, Any]:
    """Count cycles a layer, frames a second and resources of hardware layers, made of the graph `made_of`."""
    expected = model.analysis(_finn("analysis.fpgadataflow.exp_cycles_per_layer.exp_cycles_per_layer"))
    cycles = {name: int(value) for name, value in expected.items()}
    resources = _finn("analysis.fpgadataflow.res_estimation.res_estimation")(model, fpga_part)
    unknown = sorted(
        {name.rsplit("_", 1)[0] for name, r in resources.items() if not any(r[kind] for kind in _RESOURCES)}
    )
    slowest = max(cycles.values(), default=0)
    return {
        "cycles": cycles,
        "layers": _by_tensor(model, {*made_of.get_all_tensor_names()}, cycles, resources),
        "slowest_layer_cycles": slowest,
        "frames_per_second": round(1e9 / (slowest * clk_ns), 3) if slowest else 0.0,
        "resources": {kind: int(sum(r[kind] for r in resources.values())) for kind in _RESOURCES},
        "not_estimated": unknown,
        "unmapped": _unmapped(model),
    }


def _by_tensor(
    model: ModelWrapper, tensors: set[str], cycles: Mapping[str, int], resources: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what each layer costs that gives one of `tensors`, by which a reader of the integer graph finds it.

    FINN calls tensors of its own, as behind a padding, something else each time.
    """
    return [
        {"gives": node.output[0], "layer": node.name, "cycles": cycles.get(node.name, 0)}
        | {kind: int(resources[node.name][kind]) for kind in _RESOURCES}
        for node in model.graph.node
        if node.name in resources and node.output[0] in tensors
    ]


def _unmapped(model: ModelWrapper) -> list[str]:
    return [f"{node.op_type} -> {node.output[0]}" for node in model.graph.node if not node.domain.startswith(_HARDWARE)]
