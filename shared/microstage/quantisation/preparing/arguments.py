"""What functions and methods of torch are called with, by the names that their modules have."""

from __future__ import annotations

import operator
from typing import Any

import brevitas
import torch
import torch.nn.functional as F
from torch import fx, nn

__all__ = [
    "ADDITIONS",
    "IDENTITIES",
    "JOINS",
    "MEANS",
    "POOLS",
    "RELUS",
    "RELUS6",
    "RESHAPES",
    "SIZES",
    "argument",
    "settings",
]

_AVERAGE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_LARGEST = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")

# Each function by the module that does the same, and the names of its arguments behind the first.
POOLS: dict[Any, tuple[type[nn.Module], tuple[str, ...]]] = {
    F.avg_pool1d: (nn.AvgPool1d, _AVERAGE[:-1]),
    F.avg_pool2d: (nn.AvgPool2d, _AVERAGE),
    F.max_pool1d: (nn.MaxPool1d, _LARGEST),
    F.max_pool2d: (nn.MaxPool2d, _LARGEST),
    F.adaptive_avg_pool1d: (nn.AdaptiveAvgPool1d, ("output_size",)),
    F.adaptive_avg_pool2d: (nn.AdaptiveAvgPool2d, ("output_size",)),
}
RELUS = (torch.relu, torch.relu_, F.relu, F.relu_, "relu", "relu_")
RELUS6 = (F.relu6,)
RESHAPES = (
    *(torch.flatten, torch.reshape, torch.squeeze, torch.unsqueeze),
    *("flatten", "reshape", "squeeze", "unsqueeze", "view"),
)
MEANS = (torch.mean, "mean")
IDENTITIES = (F.dropout, F.dropout2d, "clone", "contiguous", "detach")
SIZES = (getattr, operator.getitem, operator.mul, operator.floordiv, "size")  # of which shapes are made
ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_", "__add__", "__iadd__")
JOINS = (torch.cat, brevitas.original_cat)


def argument(node: fx.Node, place: int, name: str, default: Any = None) -> Any:
    """Return what a call has at a place behind its first argument, or by a name."""
    return node.args[place] if len(node.args) > place else node.kwargs.get(name, default)


def settings(node: fx.Node, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the arguments behind the first of a call by their names."""
    return {**dict(zip(names, node.args[1:])), **{k: v for k, v in node.kwargs.items() if k != "input"}}
