"""What is known of the graph so far, while it is turned into integers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import fx

from microstage.errors import ModelError
from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import Operation
from microstage.quantisation.targets import Target

__all__ = ["Lowered"]


class Lowered:
    """The operations so far. `scales` holds the unit of every value of integers, `levels` what quantised ones can be.

    `shapes` are those of an example, the batch included.
    """

    def __init__(self, target: Target, shapes: Mapping[fx.Node, tuple[int, ...]]) -> None:
        self.target, self.shapes = target, shapes
        self.operations: list[Operation] = []
        self.names: dict[fx.Node, str] = {}
        self.scales: dict[str, np.ndarray] = {}
        self.levels: dict[str, Levels] = {}
        self.input = ""

    def begin(self, node: fx.Node) -> None:
        """Take a node as the network's input."""
        self.names[node] = self.input = str(node.target)

    def append(self, node: fx.Node, operation: Operation, scale: np.ndarray, levels: Levels | None = None) -> None:
        """Add an operation, whose output counts in `scale` [channels] or [1] and, if it is quantised, has `levels`."""
        self.operations.append(operation)
        self.names[node] = operation.output
        self.scales[operation.output] = scale
        if levels is not None:
            self.levels[operation.output] = levels

    def source(self, node: fx.Node) -> str:
        """Return the name of the only value that a node reads."""
        return self.names[next(source for source in node.all_input_nodes if source in self.names)]

    def made_by(self, name: str) -> Operation:
        """Return the operation that a value comes of."""
        return next(operation for operation in self.operations if operation.output == name)

    def zero(self, name: str) -> int:
        """Return the zero point of a value; sums have none."""
        return self.levels[name].zero if name in self.levels else 0

    def quantised(self, name: str, node: fx.Node) -> Levels:
        """Return the levels of a value that `node` needs to be quantised."""
        if name not in self.levels:
            raise ModelError(f"{name} is read by {node.target} and is not quantised.")
        return self.levels[name]
