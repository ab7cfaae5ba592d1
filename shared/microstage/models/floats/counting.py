"""How much a float network computes: its weights, and the multiply-accumulates of one example."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["work_of"]

_aten = torch.ops.aten


def work_of(network: nn.Module, example: Tensor) -> dict[str, int]:
    """Return {"multiply_accumulates", "weights"} of the convolutions and matrix products that `example` goes through.

    `example` is a batch of one; weights are what those products multiply by.
    """
    training, counter = network.training, _Counter()
    with torch.no_grad(), counter:
        network.eval()(example)
    network.train(training)
    return {"multiply_accumulates": counter.products, "weights": sum(counter.weights.values())}


class _Counter(TorchDispatchMode):
    """Sees every operation of torch, whether a module or a function called it."""

    def __init__(self) -> None:
        super().__init__()
        self.products, self.weights = 0, dict[int, int]()

    def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        made = function(*given, **(named or {}))
        multiplied = _MULTIPLIED.get(function.overloadpacket)
        if multiplied is not None:
            by, summed = multiplied(given)
            self.products += prod(made.shape) * summed
            self.weights[by.data_ptr()] = by.numel()
        return made


def _convolution(given: Any) -> tuple[Tensor, int]:
    weight = given[1]
    return weight, prod(weight.shape[1:])


def _product(first: int) -> Callable[[Any], tuple[Tensor, int]]:
    """Return what reads (the second factor, how many products are summed) of a product whose factors begin there."""
    return lambda given: (given[first + 1], given[first].shape[-1])


_MULTIPLIED: dict[Any, Callable[[Any], tuple[Tensor, int]]] = {
    _aten.convolution: _convolution,
    _aten.mm: _product(0),
    _aten.bmm: _product(0),
    _aten.addmm: _product(1),
    _aten.baddbmm: _product(1),
}
"What reads an operation's arguments, by the operation."
