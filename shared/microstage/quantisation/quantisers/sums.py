"""Scales around sums: a target that only shifts cannot make the scale behind a sum finer than those in front of it."""

from __future__ import annotations

import operator
from collections.abc import Iterator

import torch
from torch import fx

from microstage.quantisation.quantisers.scales import ActivationScale, activation_scales

__all__ = ["coarsen_sums", "sum_scales"]

_SUMS = (operator.add, operator.iadd, torch.add, "add", "add_")


def coarsen_sums(network: fx.GraphModule) -> None:
    """Give what quantises a sum at least the range of what is added."""
    for before, after in sum_scales(network):
        if after.threshold < before.threshold:
            after.set_threshold(before.threshold)


def sum_scales(network: fx.GraphModule) -> Iterator[tuple[ActivationScale, ActivationScale]]:
    """Yield (scale of what is added, scale of the sum) for each sum, in the order in which data flows."""
    scales = {name: scale for scale in activation_scales(network) for name in scale.quantisers}
    aliases = {id(module): name for name, module in network.named_modules()}
    modules = dict(network.named_modules(remove_duplicate=False))

    def scale_at(node: fx.Node) -> ActivationScale | None:
        return scales.get(aliases.get(id(modules.get(str(node.target))), "")) if node.op == "call_module" else None

    for node in network.graph.nodes:
        if node.target in _SUMS:
            before = next((scale for source in node.all_input_nodes if (scale := scale_at(source))), None)
            for after in filter(None, map(scale_at, node.users)):
                if before is not None and after is not before:
                    yield before, after
