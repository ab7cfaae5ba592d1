"""Run a network over many batches one layer after another, so that each can be changed before those behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn

__all__ = ["LayerRun", "plain", "walk"]

_LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear)  # and brevitas' of the same names, which are derived from them


@dataclass(frozen=True)
class LayerRun:
    """A layer with weights at its module path, what it was given [n, ...] and what it gave [n, ...]."""

    path: str
    layer: Any
    inputs: Tensor
    outputs: Tensor


def walk(network: fx.GraphModule, batches: Sequence[Tensor]) -> Iterator[LayerRun]:
    """Yield the layers with weights in the order in which data flows.

    A layer that is changed before the next is asked for is computed anew: what comes behind it sees the change.
    """
    runs = [_begun(network, batch) for batch in batches]
    modules = dict(network.named_modules())
    for node in network.graph.nodes:
        _compute(runs, node)
        layer = modules.get(str(node.target)) if node.op == "call_module" else None
        if isinstance(layer, _LAYERS):
            (source,) = node.all_input_nodes
            yield LayerRun(str(node.target), layer, _values(runs, source), _values(runs, node))
            _compute(runs, node)
        for run in runs:
            for used in run.user_to_last_uses.get(node, []):
                del run.env[used]


def _begun(network: fx.GraphModule, batch: Tensor) -> fx.Interpreter:
    run = fx.Interpreter(network)
    run.args_iter = iter([batch])
    return run


@torch.no_grad()
def _compute(runs: Sequence[fx.Interpreter], node: fx.Node) -> None:
    for run in runs:
        run.env[node] = run.run_node(node)


def _values(runs: Sequence[fx.Interpreter], node: fx.Node) -> Tensor:
    return torch.cat([plain(run.env[node]) for run in runs])


def plain(value: Any) -> Tensor:
    """Return the values of a tensor, brevitas' or torch's."""
    return value.value if hasattr(value, "scale") else value
