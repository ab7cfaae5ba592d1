"""Say what becomes of a tensor: integers, or a reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.ranges import Range

__all__ = ["IN_FRONT", "Integers", "NotInteger", "Unresolved", "exact_scale"]


IN_FRONT = "stands between the input"
"How the reason begins why an operator keeps integers from being those of the file's own input."


@dataclass(frozen=True)
class Integers:
    """Integers of a tensor: `name` in the new graph, `example` in the cleaned one; `shared` if several read it."""

    name: str
    example: Any
    range: Range
    shared: bool


@dataclass(frozen=True)
class Unresolved:
    """Why `tensor`, which `operator` at the file's node `layer` computes, is no integers.

    `root` is the tensor where that began: itself, or one before it.
    """

    tensor: str
    layer: str
    operator: str
    reason: str
    root: str

    def __str__(self) -> str:
        return f"{self.layer or self.operator} ({self.operator} -> {self.tensor})"


class NotInteger(ModelError):
    """This node has no integers; the network's other nodes may."""


def exact_scale(value: QTensor | np.ndarray) -> np.ndarray:
    """Return the scale of an example; plain integers are at scale 1."""
    return np.asarray(getattr(value, "scale", 1.0))
