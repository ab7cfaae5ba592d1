"""What becomes of tensors and of the network: the nouns of this room."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.ranges import Range
from microstage_streamline.graph.graph import Node

if TYPE_CHECKING:
    from microstage_streamline.integerise.monotone import Function

__all__ = ["IN_FRONT", "NotInteger", "InputEncoding", "Integers", "IntegerGraph", "Unresolved", "exact_scale"]


IN_FRONT = "stands between the input"
"How the reason begins why an operator keeps integers from being those of the file's own input."


@dataclass(frozen=True)
class Integers:
    """Tensor `name` of the new graph; `example` as in the cleaned graph; `shared` if more than one node reads it."""

    name: str
    example: Any
    range: Range
    shared: bool


@dataclass(frozen=True)
class Unresolved:
    """Why `tensor`, which `operator` at the file's node `layer` makes, is no integers; `root` is the tensor where that
    began, itself or one before it.
    """

    tensor: str
    layer: str
    operator: str
    reason: str
    root: str

    def __str__(self) -> str:
        return f"{self.layer or self.operator} ({self.operator} -> {self.tensor})"


@dataclass(frozen=True)
class InputEncoding:
    """value = scale * (integer - zero_point) + offset, of a real input of the file; `behind` where it is of another
    tensor, in front of which operators stand that are no line of the input.

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


class NotInteger(ModelError):
    """This node has no integers; the network's other nodes may. `node` is another one that is to blame for it."""

    def __init__(self, reason: str, node: Node | None = None) -> None:
        super().__init__(reason)
        self.node = node


@dataclass
class IntegerGraph:
    """The new graph.

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

    def left(self, tensor: str, values: np.ndarray) -> np.ndarray:
        """What is computed still of `values` of a tensor, over time or not."""
        if tensor not in self.kept:
            return values
        axis, places = self.kept[tensor]
        return np.take(values, places, axis - self.ranges[tensor].low.ndim)

    def drop_unused(self) -> None:
        """Only what some output needs stays."""
        needed = {found.name if isinstance(found, Integers) else found.start.name for found in self.outputs.values()}
        kept: list[Node] = []
        for node in reversed(self.nodes):
            if needed & set(node.outputs):
                kept.append(node)
                needed |= set(node.inputs)
        self.nodes = kept[::-1]
        self.constants = {name: value for name, value in self.constants.items() if name in needed}
        self.inputs = {name: found for name, found in self.inputs.items() if found.name in needed}


def exact_scale(value: QTensor | np.ndarray) -> np.ndarray:
    """The scale of an example; plain integers are at scale 1."""
    return np.asarray(getattr(value, "scale", 1.0))
