"""Estimate with FINN's own tools: convert each integer graph to hardware layers, fold it to a cycle budget, and
count.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microstage.errors import ModelError
from microstage.stage import Job
from microstage.untrusted.exceptions import lacks_memory
from microstage_streamline.finn.hardware import counted, to_hardware
from microstage_streamline.finn.layout import input_ranges
from microstage_streamline.finn.threshold_memory import threshold_memory

__all__ = ["estimates_of"]


def estimates_of(job: Job, converted: Mapping[str, Any]) -> dict[str, Any]:
    """Return FINN's own counts of every part; for a network that FINN cannot convert, the reason instead."""
    converted = {name: part.front or part for name, part in converted.items()}
    beyond = [part.beyond for part in converted.values() if part.beyond]
    if beyond:
        return {"parts": {}, "not_estimated": f"FINN-ONNX cannot hold the network: {beyond[0]}"}
    try:
        return _estimate(job, converted)
    except Exception as error:  # FINN asserts what it expects, and raises whatever NumPy does
        if lacks_memory(error):
            raise
        said = " ".join(str(error).split())[:300]
        reason = said if isinstance(error, ModelError) else f"{type(error).__name__}: {said}"
        job.log(f"streamline: FINN estimates nothing of this network: {reason}")
        return {"parts": {}, "not_estimated": reason}


def _estimate(job: Job, converted: Mapping[str, Any]) -> dict[str, Any]:
    """Return {"parts": {part: cycles per layer, slowest layer, resources, unmapped operators}, "fpga_part", "clk_ns"}.

    An operator that FINN has no hardware layer for is listed under `unmapped`; a layer type whose resources FINN does
    not estimate (its answer is zero for all of them) is listed under `not_estimated`, and its share is missing.
    `threshold_bits` says what thresholds take as FINN keeps them, and in a form that is proven to be the same.
    """
    fpga_part, clk_ns, cycles = (job.parameters[name] for name in ("fpga_part", "clk_ns", "target_cycles"))
    parts = {}
    for name, part in converted.items():
        model, ends = part.streams, input_ranges(part.written.interface)
        parts[name] = counted(to_hardware(model, fpga_part, cycles), model, fpga_part, clk_ns)
        parts[name]["threshold_bits"] = threshold_memory(model, ends)
        job.log(f"streamline: {name}: {_in_short(parts[name])}")
    return {"parts": parts, "fpga_part": fpga_part, "clk_ns": clk_ns, "target_cycles": cycles}


def _in_short(counted: Mapping[str, Any]) -> str:
    """Say cycles, resources, and what is in neither, on one line."""
    resources = ", ".join(f"{count} {kind}" for kind, count in counted["resources"].items() if count)
    missing = {"FINN counts none for": counted["not_estimated"], "it has no layer for": counted["unmapped"]}
    lacks = "".join(f"; {what} {', '.join(names)}" for what, names in missing.items() if names)
    cycles = f"{counted['slowest_layer_cycles']} cycles in its slowest layer"
    return f"{cycles}, {resources or 'no resources'}{lacks}{_thresholds(counted)}"


def _thresholds(counted: Mapping[str, Any]) -> str:
    """Say what thresholds take, of a part that has some."""
    kept, compact = (bits / 1000 for bits in counted["threshold_bits"].values())
    said = f"; thresholds: {kept:.1f} kbit as FINN keeps them, {compact:.1f} kbit as lines and shared tables"
    return said if kept else ""
