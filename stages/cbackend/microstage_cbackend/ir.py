"""The integer program of one part of a network: tensors with proven ranges, layers that call one kernel each.

    Tensor   a value: shape, proven range, smallest C type          Layer   one kernel call on tensors
    Part     one graph: inputs, outputs, layers in order
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

import numpy as np

from microstage.errors import ModelError

__all__ = ["Layer", "Part", "Tensor", "accumulator_type", "bits_of", "smallest_type", "type_range"]

_TYPES = ("int8_t", "uint8_t", "int16_t", "uint16_t", "int32_t", "int64_t")  # uint32_t would compare wrongly with int


def bits_of(ctype: str) -> int:
    """Width of a C type of this program: 8, 16, 32 or 64."""
    return int("".join(character for character in ctype if character.isdigit()))


def type_range(ctype: str) -> tuple[int, int]:
    """Lowest and highest value of a C type."""
    bits = bits_of(ctype)
    return (0, (1 << bits) - 1) if ctype.startswith("u") else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def smallest_type(low: int, high: int, place: str) -> str:
    """The first of the standard C types that holds low..high; `ModelError` naming `place` when none does."""
    for ctype in _TYPES:
        lowest, highest = type_range(ctype)
        if lowest <= low and high <= highest:
            return ctype
    raise ModelError(f"{place} can reach {low}..{high}, which no 64-bit integer holds; use narrower weights or inputs.")


def accumulator_type(low: int, high: int, place: str) -> str:
    """int32_t or int64_t, whichever the proven range of all partial sums needs."""
    return "int64_t" if bits_of(smallest_type(low, high, place)) == 64 else "int32_t"


@dataclass(eq=False)
class Tensor:
    """A value of `shape` whose integers lie in low..high, both included; `data` holds the integers of a constant.

    A view (`base` given) is the same integers under another shape.
    """

    name: str
    shape: tuple[int, ...]
    low: int
    high: int
    data: np.ndarray | None = None
    base: Tensor | None = None
    declared: str = ""
    "C type that the caller sees, where it is fixed by an interface; else the smallest type is taken."

    @property
    def root(self) -> Tensor:
        return self.base.root if self.base else self

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def ctype(self) -> str:
        root = self.root
        return root.declared or smallest_type(root.low, root.high, f"Tensor {root.name}")

    def view(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """The same integers under another name and shape."""
        data = None if self.data is None else self.data.reshape(shape)
        return Tensor(name, shape, self.low, self.high, data, self)


@dataclass
class Layer:
    """One call `kernel(x..., y, shape)`; `accumulator` is a C type or empty where the kernel sums nothing."""

    node: str
    operator: str
    kernel: str
    inputs: list[Tensor]
    output: Tensor
    shape: dict[str, int | list[int]]
    accumulator: str = ""
    remark: str = ""


@dataclass
class Part:
    """One graph as a straight program. Inputs and outputs keep the graph's names and order."""

    name: str
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)
    output_names: list[str] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    @property
    def states(self) -> list[tuple[str, str]]:
        """Pairs (s, s_next): recurrent states that go in and come out."""
        return [(t.name, f"{t.name}_next") for t in self.inputs if f"{t.name}_next" in self.output_names]
