"""The door: trace the user's network, see that all of it is supported, rewrite it step by step."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn

from microstage.errors import ModelError
from microstage.quantisation.preparing.canonical import canonical
from microstage.quantisation.preparing.equalising import equalised
from microstage.quantisation.preparing.equivalence import assert_equivalent
from microstage.quantisation.preparing.norms import fold_norms
from microstage.quantisation.preparing.one_call import one_module_per_call
from microstage.quantisation.preparing.supported import MODULES, assert_supported
from microstage.quantisation.preparing.tracing import trace

__all__ = ["PreparedNetwork", "prepare"]

_REWRITES: tuple[Callable[[fx.GraphModule, Tensor], None], ...] = (one_module_per_call, canonical, fold_norms)


class PreparedNetwork(nn.Module):
    """A float network as a graph of layers, and the batch [n, ...] that it was traced with.

    `unfolded` is the same with its batch norms still by themselves.
    """

    def __init__(self, graph_module: fx.GraphModule, unfolded: fx.GraphModule, example: Tensor) -> None:
        super().__init__()
        self.graph_module, self.example = graph_module, example
        self._unfolded = [unfolded]  # in a list, so that its weights are no parameters of this network

    def forward(self, x: Tensor) -> Tensor:
        return self.graph_module(x)

    @property
    def unfolded(self) -> fx.GraphModule:
        return self._unfolded[0]

    def equalize(self) -> PreparedNetwork:
        """Return the same network with like ranges of the channels between layers; `VerificationError` names layers
        between which it would become another.
        """
        return PreparedNetwork(equalised(self.graph_module, self.example), self.unfolded, self.example)


def prepare(model: nn.Module, example: Tensor) -> PreparedNetwork:
    """Return `model` as a graph of layers that can be quantised: functions as modules, batch norms folded, no dropout.

    `example` [n, ...] is a batch that the model can be called with. The model itself stays as it is. Raise `ModelError`
    for an operation that has no integer form, with its line in the user's source, or an example that does not fit, and
    `VerificationError` where a rewrite changes what is computed, with the layer.
    """
    model = copy.deepcopy(model).eval()
    example = example.detach().clone()
    _assert_callable(model, example)
    graph = trace(nn.Sequential(model) if type(model) in MODULES else model)
    assert_supported(graph, example)
    for rewrite in _REWRITES:
        before = copy.deepcopy(graph)
        rewrite(graph, example)
        graph.graph.lint()
        graph.recompile()
        assert_equivalent(before, graph, example)
    graph.delete_all_unused_submodules()
    return PreparedNetwork(graph, before, example)


@torch.no_grad()
def _assert_callable(model: nn.Module, example: Tensor) -> None:
    try:
        given = model(example.clone())
    except Exception as error:  # whatever the user's own network raises
        shape = " x ".join(map(str, example.shape))
        raise ModelError(f"The network cannot be called with an example of {shape}: {one_line(error)}.") from None
    if not isinstance(given, Tensor):
        raise ModelError(f"The network returns {type(given).__name__}; one tensor [n, ...] is what can be quantised.")


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
