"""A layer that is called several times becomes several layers: each has its own range of values."""

from __future__ import annotations

import copy

from torch import Tensor, fx

__all__ = ["one_module_per_call"]


def one_module_per_call(graph: fx.GraphModule, example: Tensor) -> None:
    """Give each further call of a module a copy, called `layer_1`, `layer_2` and so on."""
    seen: dict[str, int] = {}
    for node in graph.graph.nodes:
        if node.op == "call_module":
            calls = seen.setdefault(node.target, 0)
            seen[node.target] = calls + 1
            if calls:
                name = f"{node.target}_{calls}"
                graph.add_submodule(name, copy.deepcopy(graph.get_submodule(node.target)))
                node.target = name
