"""Estimate with FINN's own tools: convert each integer graph to hardware layers, fold them, and count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import onnx
from qonnx.core.modelwrapper import ModelWrapper

from microstage.errors import ModelError, ParameterError
from microstage.stage import Job
from microstage.untrusted.exceptions import lacks_memory
from microstage_streamline.finn.count import counted, in_short
from microstage_streamline.finn.double_weights import DoubleWeights
from microstage_streamline.finn.fill_thresholds import FillThresholds
from microstage_streamline.finn.folding import Folding
from microstage_streamline.finn.hardware import Partition, minimised, minimises, partitioned, quietly, specialised
from microstage_streamline.finn.layout import input_ranges
from microstage_streamline.finn.threshold_memory import threshold_memory

__all__ = ["Built", "Estimated", "built_of", "estimated"]


@dataclass(frozen=True)
class Built:
    """What FINN makes of one integer graph: a `partition` of layers, and these specialised and folded, `layers`."""

    model: ModelWrapper
    partition: Partition
    layers: ModelWrapper


@dataclass(frozen=True)
class Estimated:
    """`counts`: what `estimates.json` holds; `built` by part, of the parts that FINN can convert."""

    counts: dict[str, Any]
    built: dict[str, Built] = field(default_factory=dict)

    @classmethod
    def nothing(cls, reason: str) -> Estimated:
        """Return what there is of a network that FINN cannot convert, for `reason`."""
        return cls({"parts": {}, "not_estimated": reason})


def estimated(job: Job, converted: Mapping[str, Any]) -> Estimated:
    """Return FINN's own counts of every part; for a network that FINN cannot convert, the reason instead.

    `converted` has the parts by the names that FOLDING calls them by. `ParameterError` for a FOLDING that does not fit.
    """
    folding = Folding.of(job.parameters)
    converted = {name: part.front or part for name, part in converted.items()}
    beyond = [part.beyond for part in converted.values() if part.beyond]
    if beyond:
        return Estimated.nothing(f"FINN-ONNX cannot hold the network: {beyond[0]}")
    try:
        with quietly():
            return _estimate(job, converted, folding)
    except ParameterError:
        raise
    except Exception as error:  # FINN asserts what it expects, and raises whatever NumPy does
        if lacks_memory(error):
            raise
        said = " ".join(str(error).split())[:300]
        reason = said if isinstance(error, ModelError) else f"{type(error).__name__}: {said}"
        job.log(f"streamline: FINN estimates nothing of this network: {reason}")
        return Estimated.nothing(reason)


def _estimate(job: Job, converted: Mapping[str, Any], folding: Folding) -> Estimated:
    """Return {"parts": {part: what `counted` says}, "fpga_part", "clk_ns", "target_cycles"} and what was counted.

    Operators that FINN has no layer for are `unmapped`. `threshold_bits` says what thresholds take as FINN keeps them,
    and in a form that is proven to be the same.
    """
    fpga_part, clk_ns = (job.parameters[name] for name in ("fpga_part", "clk_ns"))
    parts, built = {}, {}
    for name, own in folding.of_parts([*converted]).items():
        model, ends = converted[name].streams, input_ranges(converted[name].written.interface)
        built[name] = built_of(model, own, fpga_part)
        found = counted(built[name].layers, {*model.get_all_tensor_names()}, fpga_part, clk_ns)
        unmapped = [f"{node.op_type} -> {node.output[0]}" for node in built[name].partition.left_out]
        parts[name] = {**found, "unmapped": unmapped, "threshold_bits": threshold_memory(model, ends)}
        job.log(f"streamline: {name}: {in_short(parts[name])}")
        if left := own.left(built[name].layers):
            job.log(f"streamline: {name}: FOLDING leaves out {', '.join(left)}")
    said = {"fpga_part": fpga_part, "clk_ns": clk_ns, "target_cycles": folding.target_cycles}
    return Estimated({"parts": parts, **said}, built)


def built_of(model: ModelWrapper, folding: Folding, fpga_part: str) -> Built:
    """Return what FINN makes of an integer graph for a part."""
    model = ModelWrapper(onnx.ModelProto.FromString(model.model.SerializeToString()))
    model = model.transform(FillThresholds()).transform(DoubleWeights())
    partition = partitioned(model)
    layers = folding.applied(specialised(partition.layers, fpga_part))
    return Built(model, partition, minimised(layers, minimises(model)))
