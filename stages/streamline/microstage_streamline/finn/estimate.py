"""Estimate with FINN's own tools: convert each integer graph to hardware layers, fold it to a cycle budget, and
count.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Mapping
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import GiveUniqueNodeNames
from qonnx.transformation.infer_data_layouts import InferDataLayouts
from qonnx.transformation.infer_shapes import InferShapes

from microstage.errors import ModelError
from microstage.stage import Job
from microstage.untrusted.exceptions import lacks_memory
from microstage_streamline.finn.torch_stub import provide

__all__ = ["estimates_of", "to_hardware"]

_HARDWARE = "finn.custom_op.fpgadataflow"
_SAME_STREAM = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity")
_RESOURCES = ("LUT", "BRAM_18K", "URAM", "DSP")


def estimates_of(job: Job, converted: Mapping[str, Any]) -> dict[str, Any]:
    """Return FINN's own counts of every part; for a network that FINN cannot convert, the reason instead."""
    converted = {name: part.front or part for name, part in converted.items()}
    beyond = [part.beyond for part in converted.values() if part.beyond]
    if beyond:
        return {"parts": {}, "not_estimated": f"FINN-ONNX cannot hold the network: {beyond[0]}"}
    try:
        return _estimate(job, {name: part.streams for name, part in converted.items()})
    except Exception as error:  # FINN asserts what it expects, and raises whatever NumPy does
        if lacks_memory(error):
            raise
        said = " ".join(str(error).split())[:300]
        reason = said if isinstance(error, ModelError) else f"{type(error).__name__}: {said}"
        job.log(f"streamline: FINN estimates nothing of this network: {reason}")
        return {"parts": {}, "not_estimated": reason}


def _estimate(job: Job, models: Mapping[str, ModelWrapper]) -> dict[str, Any]:
    """Return {"parts": {part: cycles per layer, slowest layer, resources, unmapped operators}, "fpga_part", "clk_ns"}.

    An operator that FINN has no hardware layer for is listed under `unmapped`; a layer type whose resources FINN does
    not estimate (its answer is zero for all of them) is listed under `not_estimated`, and its share is missing.
    """
    p = job.parameters
    parts = {}
    for name, model in models.items():
        parts[name] = _count(to_hardware(model, p["fpga_part"], p["target_cycles"]), p)
        job.log(f"streamline: {name}: {_in_short(parts[name])}")
    return {"parts": parts, "fpga_part": p["fpga_part"], "clk_ns": p["clk_ns"], "target_cycles": p["target_cycles"]}


def _in_short(counted: Mapping[str, Any]) -> str:
    """Say cycles, resources, and what is in neither, on one line."""
    resources = ", ".join(f"{count} {kind}" for kind, count in counted["resources"].items() if count)
    missing = {"FINN counts none for": counted["not_estimated"], "it has no layer for": counted["unmapped"]}
    lacks = "".join(f"; {what} {', '.join(names)}" for what, names in missing.items() if names)
    return f"{counted['slowest_layer_cycles']} cycles in its slowest layer, {resources or 'no resources'}{lacks}"


def to_hardware(model: ModelWrapper, fpga_part: str, target_cycles: int) -> ModelWrapper:
    """Return the integer graph as FINN hardware layers, specialised for the part and folded to `target_cycles` a frame.

    Thresholds are layers of their own: of those inside a matrix unit, which compares with all of them at once, FINN
    counts neither memory nor comparators.
    """
    provide()
    from finn.transformation.fpgadataflow.convert_to_hw.binary_matrix_vector_activation import (
        InferBinaryMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.concat import InferConcatLayer
    from finn.transformation.fpgadataflow.convert_to_hw.conv_inp_gen import InferConvInpGen
    from finn.transformation.fpgadataflow.convert_to_hw.duplicate_streams import InferDuplicateStreamsLayer
    from finn.transformation.fpgadataflow.convert_to_hw.elementwise_binary_operation import (
        InferElementwiseBinaryOperation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.label_select import InferLabelSelectLayer
    from finn.transformation.fpgadataflow.convert_to_hw.pool import InferPool
    from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
        InferQuantizedMatrixVectorActivation,
    )
    from finn.transformation.fpgadataflow.convert_to_hw.thresholding import InferThresholdingLayer
    from finn.transformation.fpgadataflow.convert_to_hw.vector_vector_activation import InferVectorVectorActivation
    from finn.transformation.fpgadataflow.set_folding import SetFolding
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers

    model = ModelWrapper(copy.deepcopy(model.model))
    steps = [
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
        GiveUniqueNodeNames(),
        InferShapes(),
        SpecializeLayers(fpga_part),
        BypassReshapes(),
        GiveUniqueNodeNames(),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("finn_logger").setLevel(
            logging.ERROR
        )  # it tells of each type and layout that it infers again
        for step in steps:
            model = model.transform(step)
        try:
            return model.transform(SetFolding(target_cycles, mvau_wwidth_max=4096))
        except KeyError:  # FINN looks up what stands between its layers as if it were one of them
            raise ModelError(
                f"FINN has no layer for {', '.join(_unmapped(model))}, and folds no graph with that between its layers"
            ) from None


class BypassReshapes(Transformation):
    """A stream of rows is the flattened stream: nothing is built for it, and FINN's folding stops at a node that is no
    layer of its own.
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


def _count(model: ModelWrapper, p: Mapping[str, Any]) -> dict[str, Any]:
    from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
    from finn.analysis.fpgadataflow.res_estimation import res_estimation

    cycles = {name: int(value) for name, value in model.analysis(exp_cycles_per_layer).items()}
    resources = res_estimation(model, p["fpga_part"])
    unknown = sorted(
        {name.rsplit("_", 1)[0] for name, r in resources.items() if not any(r[kind] for kind in _RESOURCES)}
    )
    slowest = max(cycles.values(), default=0)
    return {
        "cycles": cycles,
        "slowest_layer_cycles": slowest,
        "frames_per_second": round(1e9 / (slowest * p["clk_ns"]), 3) if slowest else 0.0,
        "resources": {kind: int(sum(r[kind] for r in resources.values())) for kind in _RESOURCES},
        "not_estimated": unknown,
        "unmapped": _unmapped(model),
    }


def _unmapped(model: ModelWrapper) -> list[str]:
    return [f"{node.op_type} -> {node.output[0]}" for node in model.graph.node if not node.domain.startswith(_HARDWARE)]
