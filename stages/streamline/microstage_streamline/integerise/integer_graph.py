"""Represent a graph of integers, and what the integers that enter it are of real values."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from microstage.integer.ranges import Range
from microstage_streamline.graph.graph import Node
from microstage_streamline.integerise.functions import Function
from microstage_streamline.integerise.integers import Integers, Unresolved

__all__ = ["InputEncoding", "IntegerGraph"]


@dataclass(frozen=True)
class InputEncoding:
    """What integers are of a real input of the file: value = scale * (integer - zero_point) + offset.

    `behind` where they are of another tensor, in front of which operators stand that are no line of the input.

    `rounding` as qonnx names it, or SIGN: -1 or 1. `thresholds` [..., levels - 1]: a level is how many of them a value
    reaches. `precision` of value / scale, where the quantiser reads the input as it is; of a line the exact one is
    meant.
    """

    scale: np.ndarray
    zero_point: int = 0
    offset: np.ndarray = np.float64(0)
    rounding: str = "ROUND"
    thresholds: np.ndarray | None = None
    precision: str = ""
    behind: bool = False


@dataclass
class IntegerGraph:
    """The graph of integers that is made of a cleaned one.

    `inputs`: the integers that enter, by tensor of the cleaned graph; `entries`: what they are of the file's real
    input, where that is more than the scale of their example. `outputs`: what the network answers, or what its
    unresolved rest would go on from; a Function where real operators behind the last integers are a straight line.
    `negated`: tensors whose integers are the negative of the reference's in some channels. `kept`: (axis, places) of
    the channels that are left, of tensors that lost some.
    """

    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: dict[str, Integers] = field(default_factory=dict)
    entries: dict[str, InputEncoding] = field(default_factory=dict)
    outputs: dict[str, Integers | Function] = field(default_factory=dict)
    unresolved: list[Unresolved] = field(default_factory=list)
    negated: set[str] = field(default_factory=set)
    ranges: dict[str, Range] = field(default_factory=dict)
    kept: dict[str, tuple[int, np.ndarray]] = field(default_factory=dict)

    def answers(self) -> dict[str, Integers]:
        """Return {output: the integers that it is, or is a straight line of}."""
        return {name: found if isinstance(found, Integers) else found.start for name, found in self.outputs.items()}

    def kept_channels(self, tensor: str, values: np.ndarray) -> np.ndarray:
        """Return what is still computed of `values` of a tensor, over time or not."""
        if tensor not in self.kept:
            return values
        axis, places = self.kept[tensor]
        return np.take(values, places, axis - self.ranges[tensor].low.ndim)

    def drop_unused(self) -> None:
        """Keep only what some output needs."""
        needed = {found.name for found in self.answers().values()}
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if needed & set(node.outputs):
                kept.append(node)
                needed |= set(node.inputs)
        self.nodes = kept[::-1]
        self.constants = {name: value for name, value in self.constants.items() if name in needed}
        self.inputs = {name: found for name, found in self.inputs.items() if found.name in needed}
