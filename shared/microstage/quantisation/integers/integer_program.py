"""What a network in integers is made of: all that a dialect writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from microstage.quantisation.integers.levels import Levels
from microstage.quantisation.integers.operations import Operation, Quantise

__all__ = ["IntegerProgram"]


@dataclass(frozen=True)
class IntegerProgram:
    """`operations` from `input`, which is real, to `output`, which is quantised.

    `levels` holds those of every quantised value by its name, `shapes` the shape of every value without the batch.
    """

    operations: tuple[Operation, ...]
    input: str
    output: str
    shapes: Mapping[str, tuple[int, ...]]
    levels: Mapping[str, Levels]

    @property
    def quantiser(self) -> Quantise:
        """The operation at the border, which makes integers of the input."""
        return next(operation for operation in self.operations if isinstance(operation, Quantise))
