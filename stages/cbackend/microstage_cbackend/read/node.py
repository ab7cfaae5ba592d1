"""Show a node of a graph as a lowering sees it: operands, attributes, and how it refuses."""

from __future__ import annotations

from collections.abc import Sequence
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
    """Hold what a lowering is given; `place` begins every error sentence."""

    builder: ProgramBuilder
    operator: str
    place: str
    inputs: list[Tensor | None]
    attributes: dict[str, Any]
    outputs: list[str]

    @property
    def operands(self) -> list[Tensor]:
        """Return the inputs that are given."""
        return [tensor for tensor in self.inputs if tensor is not None]

    @property
    def x(self) -> Tensor:
        """Return the first operand."""
        return self.operands[0]

    def refuse(self, reason: str) -> ModelError:
        """Return the error that names this node and the `reason`."""
        return ModelError(f"{self.place} {reason}")

    def attribute(self, name: str, default: Any) -> Any:
        """Return attribute `name` as a Python number, string or list, or `default`."""
        value = self.attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def has(self, index: int) -> bool:
        """Tell whether input `index` is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def constant(self, index: int, what: str) -> np.ndarray:
        """Return the integers of constant input `index`, int64; `ModelError` where it is not constant."""
        given = self.inputs[index] if self.has(index) else None
        if given is None or given.data is None:
            raise self.refuse(f"has no constant {what}; fold it into an initialiser.")
        return given.data

    @property
    def name(self) -> str:
        """Return the name of the first output."""
        return self.outputs[0]

    def window(
        self, image: Sequence[int], kernel: Sequence[int], strides: str = "strides", pads: str = "pads"
    ) -> Window:
        """Return its sliding window, by its attributes, over `image` (its height and width, or its length)."""
        given = self.attribute(strides, None), self.attribute(pads, None), self.attribute("dilations", None)
        return Window(
            self.place, image, kernel, *given, self.attribute("auto_pad", "NOTSET"), self.attribute("ceil_mode", 0)
        )
