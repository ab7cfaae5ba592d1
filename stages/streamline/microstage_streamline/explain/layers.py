"""Find the layers of a cleaned graph: what its quantisers give, and sums of weights that the file has in floats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from microstage.integer.registry import Kind, named
from microstage.integer.tensor import real
from microstage_streamline.explain.in_floats import LEVELS, scale_and_zero
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import QUANTISERS, NormalGraph

__all__ = ["FileLayer", "answers_of", "float_weights", "layers_of"]

_LEVELLING = (*QUANTISERS, *LEVELS)
_MADE_HERE = (".channels_first", ".integers", ".levels")  # ends of names that no file has
_ORDERS = ("ArgMax", "ArgMin", "TopK")
_ALIKE = 0.5  # cosine of weights and what was quantised of them, at least


@dataclass(frozen=True)
class FileLayer:
    """What is `tensor` of the integers and `beside` of the floats, behind a product that a person calls `product`.

    value = scale * (level - zero), in the integers, and in the floats where they are `in_levels`.
    """

    product: str
    tensor: str
    beside: str
    scale: np.ndarray
    zero: np.ndarray
    in_levels: bool

    @property
    def name(self) -> str:
        """What it is called in the tables."""
        called = self.beside
        for made_here in _MADE_HERE:
            called = called.removesuffix(made_here)
        return f"{self.product} -> {called}" if self.product else called

    def of_integers(self, value: Any) -> np.ndarray:
        return self.scale * (real(value) - self.zero)

    def of_floats(self, value: Any) -> np.ndarray:
        return self.of_integers(value) if self.in_levels else real(value)

    def as_floats(self, value: np.ndarray) -> np.ndarray:
        """Return real values as the floats have them at this place."""
        return value / self.scale + self.zero if self.in_levels else value


def layers_of(normal: NormalGraph, weights: Mapping[str, np.ndarray]) -> list[FileLayer]:
    """Return the layers in the order of the graph; products with the constants `weights` are some."""
    makers = {name: node for node in normal.graph.nodes for name in node.outputs}
    return [
        _layer(normal, node, makers)
        for node in normal.graph.nodes
        if node.output in normal.values and (node.op in _LEVELLING or weights.keys() & set(node.inputs))
    ]


def _layer(normal: NormalGraph, node: Node, makers: Mapping[str, Node]) -> FileLayer:
    scale, zero = np.float64(1), np.float64(0)
    if node.op in LEVELS:
        scale, zero = scale_and_zero(node, normal.values, normal.values[node.output].ndim)
    return FileLayer(_product_before(node, makers), node.output, node.output, scale, zero, True)


def _product_before(node: Node, makers: Mapping[str, Node]) -> str:
    """Return what a person calls the layer with weights whose sums `node` quantises; "" where there is none."""
    at: Node | None = node
    while at is not None and named(at.op).kind is not Kind.PRODUCT:
        at = makers.get(at.inputs[0])
        at = None if at is None or at.op in _LEVELLING else at
    return "" if at is None else at.layer or at.op


def answers_of(normal: NormalGraph) -> list[str]:
    """Return the tensors that answer: outputs, or the last ones in front of what the reference cannot compute, and of
    the choice of a class.
    """
    makers = {name: node for node in normal.graph.nodes for name in node.outputs}
    return list(dict.fromkeys(end for name in normal.graph.outputs for end in _ends(normal, name, makers)))


def _ends(normal: NormalGraph, name: str, makers: Mapping[str, Node]) -> Iterator[str]:
    node = makers.get(name)
    if name in normal.values and (node is None or node.op not in _ORDERS):
        if not normal.is_constant(name):
            yield name
    elif node is not None:
        for read in filter(None, node.inputs):
            yield from _ends(normal, read, makers)


def float_weights(before: Mapping[str, Any], normal: NormalGraph) -> dict[str, np.ndarray]:
    """Return {constant of the cleaned graph: the floats of which the file quantises it}; `before` are the file's own
    constants. Weights that a file stores as integers have none.
    """
    found = {}
    for name, value in normal.graph.constants.items():
        stored = before.get(normal.origin.get(name, ""))
        if isinstance(stored, np.ndarray) and stored.dtype.kind == "f" and stored.shape == np.shape(real(value)):
            quantised, floats = real(value).reshape(-1), stored.astype(np.float64).reshape(-1)
            sizes = np.linalg.norm(quantised) * np.linalg.norm(floats)
            if floats.size > 1 and sizes and quantised @ floats > _ALIKE * sizes:
                found[name] = stored.astype(np.float64)
    return found
