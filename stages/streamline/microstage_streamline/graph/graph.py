"""Hold a graph in a form that is easy to rewrite: nodes with plain attributes, constants by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import helper

from microstage.errors import ModelError
from microstage.integer import QTensor
from microstage.integer.interpreter import run_node
from microstage.untrusted.limits import MOST_LOOKED_AT

__all__ = ["GraphInput", "Graph", "MalformedModel", "Node", "is_quantised", "saying_where"]


_AT_ONCE = 16


class MalformedModel(ModelError):
    """The file itself is wrong: no other version of this program could read it."""


@dataclass
class Node:
    """One operator; `layer` is how the file calls it, for the report."""

    op: str
    inputs: list[str]
    outputs: list[str]
    flags: dict[str, Any] = field(default_factory=dict)
    layer: str = ""

    @property
    def output(self) -> str:
        return self.outputs[0]

    def proto(self, domain: str = ""):
        return helper.make_node(self.op, self.inputs, self.outputs, domain=domain, **self.flags)

    def __str__(self) -> str:
        return f"{self.layer or self.op} ({self.op} -> {', '.join(self.outputs)})"


@dataclass(frozen=True)
class GraphInput:
    """A graph input of batch 1; `datatype` is the integer range (low, high) that the file declares for it, if it does;
    `typed` if its elements are of an integer type, rather than floats that are annotated (FINN); `real` is the type of
    its floats. Of an input that the file has as real numbers, and the user as integers: `scale`, `zero_point`, and
    `signs` if these are -1 and 1.
    """

    shape: tuple[int, ...]
    datatype: tuple[int, int] | None
    typed: bool = False
    real: type = np.float32
    scale: float | None = None
    zero_point: int = 0
    signs: bool = False


@dataclass
class Graph:
    """Nodes in an order in which they can be run; a constant is an array, or a QTensor once its quantiser is folded in.
    ONNX's own operators are as `opset` has them.

    `described` {input or output of raw integers: what the interface says of them, as "scale" and "zero_point"}, where
    the file says so of the integers themselves; `heaviest` is how many values a node holds at once of one sample, at
    most, once that is known.
    """

    nodes: list[Node]
    constants: dict[str, Any]
    inputs: dict[str, GraphInput]
    outputs: list[str]
    opset: int
    described: dict[str, dict[str, Any]] = field(default_factory=dict)
    heaviest: int = 1

    @property
    def at_once(self) -> int:
        """Samples to run at a time: 16, fewer where their tensors are large."""
        return max(1, min(_AT_ONCE, MOST_LOOKED_AT // self.heaviest))

    def run(self, given: Mapping[str, Any], wanted: Iterable[str]) -> dict[str, Any]:
        """Return the `wanted` tensors by name, from those `given`, graph inputs or not.

        This is the integer reference: exact on integers, float64 elsewhere.
        """
        values: dict[str, Any] = {**self.constants, **given}
        needed = self._needed(given, wanted)
        for node in self.nodes:
            if node.output in needed:
                with saying_where(node):
                    values.update(run_node(node.proto(), values))
        return {name: values[name] for name in wanted}

    def _needed(self, given: Mapping[str, Any], wanted: Iterable[str]) -> set[str]:
        """Return the first outputs of the nodes between `given` and `wanted`."""
        open_, needed = set(wanted), set()
        for node in reversed(self.nodes):
            if any(name in open_ and name not in given for name in node.outputs):
                needed.add(node.output)
                open_ |= set(node.inputs)
        return needed

    def examples(self) -> dict[str, Any]:
        """Return a value for every input, all zeros."""
        return {name: _zeros(entry) for name, entry in self.inputs.items()}


def _zeros(entry: GraphInput) -> Any:
    zeros = np.zeros(entry.shape, np.int64 if entry.datatype else entry.real)
    return QTensor(zeros, np.float64(1)) if entry.datatype and not entry.typed else zeros


def is_quantised(value: Any) -> bool:
    """Tell whether an example is integers, scaled or not."""
    return isinstance(value, QTensor) or (isinstance(value, np.ndarray) and value.dtype.kind in "iu")


@contextmanager
def saying_where(node: Node) -> Iterator[None]:
    """Turn what a node of a wrong file does to NumPy into one sentence that names the node."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is said by who meets it
            yield
    except MalformedModel:
        raise
    except ModelError as error:
        raise ModelError(f"{node}: {str(error).rstrip('.')}.") from None
    except MemoryError:
        raise MalformedModel(f"{node} needs more memory than there is.") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise MalformedModel(
            f"{node} has inputs or attributes that do not fit together: {' '.join(str(error).split())[:160]}."
        ) from None
