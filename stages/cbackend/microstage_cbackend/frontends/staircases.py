"""Functions of one integer: the operators between an exact sum and the quantiser behind it, evaluated by the integer reference.

Each operator in a chain never falls or never rises, so its composition is a staircase; its steps are found by bisection
over the whole range of the sum, with the reference itself as the function. Rounding is the reference's (half to even).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from microstage.integer import QTensor
from microstage.integer.interpreter import run_node

__all__ = ["ELEMENTWISE", "Chain", "Link", "staircase"]

ELEMENTWISE = frozenset(
    "Relu Clip Add Sub Mul Div BatchNormalization QuantizeLinear Quant BipolarQuant Cast Gather Sigmoid Tanh MultiThreshold Identity".split()
)
_RESHAPING = frozenset("Transpose Flatten".split())
"Moves that change which axis a constant of a later operator meets; the others are left out of the evaluation."


@dataclass(frozen=True)
class Link:
    """One operator: `flow` is the name of its input that varies, `constants` are the others."""

    node: onnx.NodeProto
    flow: str
    constants: dict[str, Any]

    @property
    def monotone(self) -> bool:
        """Whether the operator never falls, or never rises, in the input that varies."""
        place = list(self.node.input).index(self.flow)
        if self.node.op_type == "Gather":
            steps = np.diff(np.asarray(self.constants[self.node.input[0]]).astype(np.int64).ravel())
            return place == 1 and bool(np.all(steps >= 0) or np.all(steps <= 0))
        return place == 0 or self.node.op_type in ("Add", "Sub", "Mul")

    def apply(self, value: Any) -> Any:
        if self.node.op_type in ELEMENTWISE | _RESHAPING:
            return run_node(self.node, {**self.constants, self.flow: value})[self.node.output[0]]
        return value


@dataclass(frozen=True)
class Chain:
    """Links applied one after another to integers whose value is scale * (integer - zero), or to bare integers."""

    links: tuple[Link, ...]
    rank: int
    axis: int
    "Axis of the channels when the chain begins."
    channels: int
    scale: np.ndarray | None
    zero: int

    def evaluate(self, integers: np.ndarray) -> Any:
        """The reference's value, a QTensor or array, of `integers` [n, channels], for images of one pixel."""
        shape = [len(integers), *[1] * (self.rank - 1)]
        shape[self.axis] = self.channels
        value: Any = integers.reshape(shape)
        if self.scale is not None:
            value = QTensor(value - self.zero, self.scale)
        for link in self.links:
            value = link.apply(value)
        return value

    def __call__(self, integers: np.ndarray) -> np.ndarray:
        """The resulting integers or real numbers, [n, channels]."""
        value = self.evaluate(integers)
        found = value.ints if isinstance(value, QTensor) else np.asarray(value)
        if found.size != integers.size:
            raise ValueError("its constants differ from place to place of an image")
        return found.reshape(integers.shape)

    @property
    def monotone(self) -> bool:
        return all(link.monotone for link in self.links)

    def falls(self, low: int, high: int) -> np.ndarray:
        """Per channel, whether the function falls from low to high."""
        ends = self(np.stack([np.full(self.channels, low), np.full(self.channels, high)]))
        return ends[1] < ends[0]


def staircase(function: Chain, low: int, high: int, signs: np.ndarray) -> tuple[np.ndarray, int]:
    """(thresholds int64 [channels, levels], base): function(signs * x) = base + number of thresholds that x in low..high reaches.

    Precondition: function(signs * x) is monotone and does not fall.
    """
    ends = function(np.stack([signs * low, signs * high])).astype(np.int64)
    base, top = int(ends[0].min()), int(ends[1].max())
    wanted = np.arange(base + 1, top + 1)[:, None]
    first, last = np.full((top - base, len(signs)), low), np.full((top - base, len(signs)), high + 1)
    while np.any(first < last):
        middle = np.minimum((first + last) // 2, high)
        reached = function(signs * middle) >= wanted
        first, last = np.where(reached | (first >= last), first, middle + 1), np.where(reached & (first < last), middle, last)
    return first.T, base


