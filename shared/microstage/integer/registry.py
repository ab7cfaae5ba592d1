"""One entry per operator: how it runs, and what it is to integers. docs/adding-an-operator.md shows how to write one.

From what an operator is follow its provable range (`ranges.node_range`) and what streamline's integeriser does with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

__all__ = [
    "OPERATORS",
    "POINTWISE",
    "Kind",
    "Operator",
    "OperatorTable",
    "everywhere",
    "knows",
    "named",
    "positive_scale",
]


class Kind(Enum):
    """What an operator is to the integers that it is given."""

    MOVES = "each output is one of the inputs, or the largest of some"
    MONOTONE = "each element is a function of one element that never turns round; all other inputs are constants"
    EACH = "each element is a function of the elements of its inputs at that place, which may turn round"
    PRODUCT = "sums of products with constant weights, exact on integers of one scale"
    SUM = "two tensors added, exact where their scales agree; with a constant, monotone"
    ELEMENT_PRODUCT = "two tensors multiplied element by element, exact; with a constant, monotone"
    AVERAGE = "the sum of a window, at the scale divided by its size"
    ORDER = "places of the largest; the same for values and for integers of one scale"
    FIXED = "integers of the integers that it is given, by a rule of its own: it stays as it is"
    REAL = "on real numbers alone"


def _as_broadcast(_: Mapping[str, Any], shape: tuple[int, ...], rank: int) -> set[int]:
    """Return the axes along which a constant of `shape` differs, where it meets a tensor of `rank` from the right."""
    return {rank - len(shape) + place for place, size in enumerate(shape) if size > 1}


@dataclass(frozen=True)
class Operator:
    """`run` (inputs, attributes) -> output, or a tuple of outputs; `kind` as above.

    `ranges` (node, ranges, constants) -> {output: Range}: needed by kinds whose range does not follow from `run`.
    `axes` (attributes, shape, rank) -> axes of the tensor along which a constant input of `shape` differs.
    `rises` (constants behind the first input) -> whether it never falls, as a function of its first input alone, so
    that it commutes with a maximum; `straight`: such a function is a line; `turns` (attributes, constants behind the
    first input) -> whether one of a kind that never turns round does so for once.
    """

    run: Callable[..., Any]
    kind: Kind = Kind.REAL
    ranges: Callable[..., Any] | None = None
    axes: Callable[[Mapping[str, Any], tuple[int, ...], int], set[int]] = _as_broadcast
    rises: Callable[[Sequence[Any]], bool] | None = None
    straight: bool = False
    turns: Callable[[Mapping[str, Any], Sequence[Any]], bool] | None = None

    def may_turn(self, attributes: Mapping[str, Any], constants: Sequence[Any]) -> bool:
        """Tell whether a kind is not known to rise, or fall, all along."""
        return self.kind is Kind.EACH or self.turns is not None and self.turns(attributes, constants)


class OperatorTable(dict[str, Operator]):
    """{ONNX operator name: its entry}. Each module of operators fills one of its own."""

    def entry(self, *names: str, **facts: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Add the decorated function under ONNX operator names; `facts` are the fields of `Operator`."""

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            self.update(dict.fromkeys(names, Operator(function, **facts)))
            return function

        return add


OPERATORS = OperatorTable()
"All that the reference runs: `microstage.integer` puts the tables of its modules together."
POINTWISE = (Kind.MONOTONE, Kind.EACH, Kind.SUM, Kind.ELEMENT_PRODUCT)
"Kinds of which each element of the output is a function of the elements at that place."


def knows(name: str) -> bool:
    """Tell whether there is an operator of this ONNX name."""
    return name in OPERATORS


def named(name: str) -> Operator:
    """Return the entry of an operator; of one that nobody registered, an entry of kind REAL that cannot run."""
    return OPERATORS.get(name) or Operator(_unknown)


def _unknown(*_: Any) -> Any:
    raise KeyError("an operator that is not registered was run")


def everywhere(_: Sequence[Any]) -> bool:
    """Return `rises` of an operator that never falls, whatever its constants."""
    return True


def positive_scale(constants: Sequence[Any]) -> bool:
    """Return `rises` of an operator whose first constant is the scale of a step."""
    return bool(constants) and bool(np.all(np.asarray(constants[0]) > 0))
