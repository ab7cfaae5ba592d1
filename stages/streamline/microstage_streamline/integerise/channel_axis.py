"""Find the one axis of channels along which a function differs: thresholds can tell no second one apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer.registry import named
from microstage.integer.tensor import narrowed
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.functions import Function

__all__ = ["axis_of", "differs_by_place", "layout_of"]

_LAYOUTS = {2: ("NC",), 3: ("NCW", "NWC"), 4: ("NCHW", "NHWC"), 5: ("NCDHW", "NDHWC")}


def layout_of(axis: int | None, rank: int) -> str:
    """Return what qonnx calls a tensor of `rank` whose channels lie along `axis`."""
    if axis not in (None, 1, rank - 1) or rank not in _LAYOUTS:
        raise ModelError(f"differs along axis {axis} of {rank}; expected channels first or last")
    return _LAYOUTS[rank][0 if axis in (None, 1) else -1]


def differs_by_place(function: Function, constants: Mapping[str, Any]) -> bool:
    """Tell whether it differs along more than the one axis that thresholds can tell apart."""
    rank = function.start.range.low.ndim
    axes = _axes(function, rank, constants, True)
    return not function.by_place and rank > 1 and 0 not in axes and not axes <= {1} and not axes <= {rank - 1}


def axis_of(function: Function, rank: int, constants: Mapping[str, Any], scaled: bool = True) -> int | None:
    """Return the one axis along which the function differs; None where all is the same.

    `scaled`: the scale that it starts from counts as well.
    """
    axes = {1} if function.by_place else _axes(function, rank, constants, scaled)
    if len(axes) > 1 or 0 in axes:
        raise ModelError(f"differs along axes {sorted(axes)} of {rank}; one axis of channels can be told apart")
    return next(iter(axes), None)


def _axes(function: Function, rank: int, constants: Mapping[str, Any], scaled: bool) -> set[int]:
    axes = set() if not scaled else _varied(narrowed(np.asarray(getattr(function.start.example, "scale", 1.0))), rank)
    for node in function.nodes:
        for name in node.inputs:
            if name in constants and np.size(getattr(constants[name], "ints", constants[name])) > 1:
                axes |= _along(node, constants[name], rank)
    return axes


def _along(node: Node, value: Any, rank: int) -> set[int]:
    """Return the axes along which one constant input of a node differs."""
    return named(node.op).axes(node.flags, np.shape(getattr(value, "ints", value)), rank)


def _varied(value: Any, rank: int) -> set[int]:
    shape = np.shape(getattr(value, "ints", value))
    return {rank - len(shape) + place for place, size in enumerate(shape) if size > 1}
