"""A node of a graph as a lowering sees it: operands, attributes, and how it refuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage_cbackend.program.ir import Tensor
from microstage_cbackend.program.windows import Window
from microstage_cbackend.read.builder import ProgramBuilder

__all__ = ["ReadNode"]


@dataclass
class ReadNode:
    """What a lowering is given; `place` begins every error sentence."""

    builder: ProgramBuilder
    operator: str
    place: str
    inputs: list[Tensor | None]
    attributes: dict[str, Any]
    outputs: list[str]

    @property
    def operands(self) -> list[Tensor]:
        """The inputs that are given."""
        return [tensor for tensor in self.inputs if tensor is not None]

    @property
    def x(self) -> Tensor:
        """The first operand."""
        return self.operands[0]

    def refuse(self, reason: str) -> ModelError:
        return ModelError(f"{self.place} {reason}")

    def attribute(self, name: str, default: Any) -> Any:
        """Attribute `name` as a Python number, string or list, or `default`."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and self.inputs[index] is not None

    def constant(self, index: int, what: str) -> np.ndarray:
        """Integers of constant input `index`, an int64 array; `ModelError` where it is not constant."""
        if not self.has(index) or self.inputs[index].data is None:
            raise self.refuse(f"has no constant {what}; fold it into an initialiser.")
        return self.inputs[index].data

    @property
    def name(self) -> str:
        return self.outputs[0]

    def window(self, image, kernel, strides: str = "strides", pads: str = "pads") -> Window:
        """Its sliding window, by its attributes."""
        given = self.attribute(strides, None), self.attribute(pads, None), self.attribute("dilations", None)
        return Window(
            self.place, image, kernel, *given, self.attribute("auto_pad", "NOTSET"), self.attribute("ceil_mode", 0)
        )
