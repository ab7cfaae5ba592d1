"""Count what hardware layers need by FINN's own estimates: cycles, LUT, BRAM, URAM, DSP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from qonnx.core.modelwrapper import ModelWrapper

from microstage_streamline.finn.hardware import finn

__all__ = ["RESOURCES", "counted", "in_short", "totals"]

RESOURCES = ("LUT", "BRAM_18K", "URAM", "DSP")


def counted(layers: ModelWrapper, tensors: Collection[str], fpga_part: str, clk_ns: float) -> dict[str, Any]:
    """Return cycles a layer, frames a second and resources of folded hardware layers.

    `tensors` are those of the integer graph that they were made of. `not_estimated` {type: layers} are those for which
    FINN answers zero of everything, so that their share of `resources` is missing. `latency_bound_cycles` is the sum of
    cycles on the longest way: no layer begins before the one in front of it ends, which hardware does not wait for.
    """
    expected = layers.analysis(finn("analysis.fpgadataflow.exp_cycles_per_layer.exp_cycles_per_layer"))
    cycles = {name: int(value) for name, value in expected.items()}
    needed = layers.analysis(
        lambda model: finn("analysis.fpgadataflow.res_estimation.res_estimation")(model, fpga_part)
    )
    slowest = max(cycles.values(), default=0)
    kinds = {node.name: node.op_type for node in layers.graph.node}
    unknown = Counter(kinds[name] for name, share in needed.items() if not any(share[kind] for kind in RESOURCES))
    return {
        "cycles": cycles,
        "layers": _by_tensor(layers, tensors, cycles, needed),
        "slowest_layer_cycles": slowest,
        "frames_per_second": round(1e9 / (slowest * clk_ns), 3) if slowest else 0.0,
        "latency_bound_cycles": _longest_way(layers, cycles),
        "resources": {kind: int(sum(share[kind] for share in needed.values())) for kind in RESOURCES},
        "not_estimated": dict(sorted(unknown.items())),
    }


def _by_tensor(
    model: ModelWrapper, tensors: Collection[str], cycles: Mapping[str, int], resources: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return what each layer costs that gives one of `tensors`, by which a reader of the integer graph finds it.

    FINN calls tensors of its own, as behind a padding, something else each time.
    """
    return [
        {"gives": node.output[0], "layer": node.name, "cycles": cycles.get(node.name, 0)}
        | {kind: int(resources[node.name][kind]) for kind in RESOURCES}
        for node in model.graph.node
        if node.name in resources and node.output[0] in tensors
    ]


def _longest_way(model: ModelWrapper, cycles: Mapping[str, int]) -> int:
    """Return the most cycles that layers take one after another, each behind all that it reads."""
    ended: dict[str, int] = {}
    for node in model.graph.node:  # each behind those that it reads
        end = max((ended.get(name, 0) for name in node.input), default=0) + cycles.get(node.name, 0)
        ended |= dict.fromkeys(node.output, end)
    return max(ended.values(), default=0)


def in_short(counted: Mapping[str, Any]) -> str:
    """Say on one line: cycles, resources, "at least" where FINN leaves layers out, and what is in neither."""
    said = [f"{counted['slowest_layer_cycles']:,} cycles in its slowest layer", totals(counted["resources"], counted)]
    said += [f"FINN has no layer for {', '.join(lacks)}"] if (lacks := counted["unmapped"]) else []
    said += [_thresholds(*counted["threshold_bits"].values())] if any(counted["threshold_bits"].values()) else []
    return "; ".join(said)


def _thresholds(kept: int, compact: int) -> str:
    return (
        f"thresholds: {kept / 1000:.1f} kbit as FINN keeps them, {compact / 1000:.1f} kbit as lines and shared tables"
    )


def totals(resources: Mapping[str, int], counted: Mapping[str, Any]) -> str:
    """Say how much of each resource there is, and which layers of those that were counted are in none of it."""
    missing = counted["not_estimated"]
    needed = ", ".join(f"{count:,} {kind}" for kind, count in resources.items() if count) or "no resources"
    if not missing:
        return needed
    layers = "layer" if sum(missing.values()) == 1 else "layers"
    return f"at least {needed}, {sum(missing.values())} {layers} of these types not estimated: {', '.join(missing)}"
