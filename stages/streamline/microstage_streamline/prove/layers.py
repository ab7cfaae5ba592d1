"""Find the layers of an untouched file that became integers: what stands in it between tensors that are integers here.

A tensor is compared that the file and the cleaned graph have by one name, downstream of where integers enter: integers,
and real numbers where integers end (the file's outputs, what an unresolved node reads).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from microstage.integer.rounding_bounds import fan_in
from microstage_streamline.graph.graph import is_quantised
from microstage_streamline.integerise.integer_graph import IntegerGraph
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.prove.executors import FilePart, OriginalModel
from microstage_streamline.read.known_operators import QUANTISERS

__all__ = ["ComparedLayer", "layers_of", "shared"]

_LEAST = 8  # inputs of every layer, the extremes among them
_WORK = 1e10  # multiply-accumulates of all layers
_PER_VALUE = 30  # of them are what a value costs that is moved, quantised or compared
_PRODUCTS = ("Conv", "MatMul", "Gemm")
_ROUNDING = ("QuantizeLinear", *QUANTISERS)


@dataclass
class ComparedLayer:
    """`program` computes `tensor` of the file, `source` in the cleaned graph; `name` is what a person calls it.

    `inputs` were compared, of so many as `offered`: `values` of the tensor, of which `ties` differ by a level and are
    explained; `reason` is why they could not be. The program reads `entries`, inputs of the file, and `reads`, {tensor
    of the file: of the cleaned graph}.
    """

    name: str
    tensor: str
    source: str
    program: FilePart
    entries: list[str]
    reads: dict[str, str]
    cost: float
    offered: int = 0
    inputs: int = 0
    values: int = 0
    ties: int = 0
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} -> {self.tensor}"

    @property
    def by(self) -> str:
        """The executors that computed it."""
        return " and ".join(sorted(self.program.by))

    @property
    def rounds(self) -> bool:
        """Whether it ends in levels, and so has ties: float32 may be coarser than the levels of an accumulator."""
        return any(node.op_type in _ROUNDING for node in self.program.nodes)


def layers_of(file: OriginalModel, normal: NormalGraph, made: IntegerGraph) -> list[ComparedLayer]:
    """Return the layers in the file's order."""
    known = _known(normal, made)
    makers = {name for node in normal.graph.nodes for name in node.outputs}
    renamed = {name: normal.renamed.get(name, name) for name in file.computed - file.inputs.keys()}
    told = {name: source for name, source in renamed.items() if name not in file.narrow}
    ours = {name: source for name, source in told.items() if source in known and source in makers}
    stops = {name for name, source in ours.items() if is_quantised(normal.values[source])}
    ends = {name for node in normal.graph.nodes if not known & set(node.outputs) for name in node.inputs}
    ends = {name for name, source in ours.items() if source in ends or name in file.outputs}
    return [_layer(file, normal, ours, name, stops) for name in file.makers if name in stops or name in ends]


def _known(normal: NormalGraph, made: IntegerGraph) -> Set[str]:
    """Return tensors of the cleaned graph that follow from the integers that enter."""
    constants, failed = normal.graph.constants.keys(), {found.tensor for found in made.unresolved}
    known = {*constants, *made.inputs}
    for node in normal.graph.nodes:
        reached = known.issuperset(filter(None, node.inputs)) and node.output in normal.values
        if reached and not failed & set(node.outputs):
            known.update(node.outputs)
    return known - constants


def _layer(
    file: OriginalModel, normal: NormalGraph, ours: dict[str, str], tensor: str, stops: Set[str]
) -> ComparedLayer:
    program = file.program([tensor], stops)
    products = [place for place in program.places if file.nodes[place].op_type in _PRODUCTS]
    name = file.where([*products, program.places[-1]][0])
    entries = [source for source in program.sources if source in file.inputs]
    reads = {source: ours[source] for source in program.sources if source not in entries}
    return ComparedLayer(name, tensor, ours[tensor], program, entries, reads, _cost(normal, program))


def _cost(normal: NormalGraph, program: FilePart) -> float:
    """Return the multiply-accumulates of one sample."""
    total = 1.0
    for node in program.nodes:
        shapes = [_shape(normal, name) for name in node.input[:2]]
        products = fan_in(node, shapes) if node.op_type in _PRODUCTS and all(shapes) else _PER_VALUE
        total += products * float(np.prod(_shape(normal, node.output[0])))
    return total


def _shape(normal: NormalGraph, name: str) -> tuple[int, ...]:
    """Return the shape of a tensor of the file, as far as the reference knows it."""
    value = normal.values.get(normal.renamed.get(name, name))
    return () if value is None else value.shape


def shared(layers: Sequence[ComparedLayer], count: int) -> dict[str, int]:
    """Return {tensor: inputs}: all `count` of a layer that is cheap; those that are not share what is left of
    the work.
    """
    left, quotas = _WORK, {}
    for place, layer in enumerate(sorted(layers, key=lambda layer: layer.cost)):
        quotas[layer.tensor] = min(count, max(_LEAST, int(left / (len(layers) - place) / layer.cost)))
        left = max(0.0, left - quotas[layer.tensor] * layer.cost)
    return quotas
