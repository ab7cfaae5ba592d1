"""Choose which tensors of a float network are quantised, so that exact integers follow behind it."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import dataclass

import onnx
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from microstage_streamline.quantise.float_graph import stored

__all__ = ["Placement", "placed"]

_NEVER = {
    "BatchNormalization",
    "InstanceNormalization",
    "LayerNormalization",
    "Softmax",
    "LogSoftmax",
    "ArgMax",
    "ArgMin",
    "TopK",
    "CumSum",
}
_LINES = ("Add", "Sub", "Mul", "Div", "Max", "Min")
_CURVES = ("PRelu", "Pow")
_FUNCTIONS = {
    *("Abs", "Celu", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSwish", "Mish", "Selu", "Softplus", "Softsign"),
    *("Sqrt", "Tanh", "ThresholdedRelu"),
}
_OF_SEVERAL = {"Sub", "Div", "Max", "Min", "Sum", "Mean", "PRelu", "Pow"}
_POOLS = {"GlobalMaxPool", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"}
_MOVES = {"DepthToSpace", "Expand", "Flatten", "Identity", "SpaceToDepth", "Tile", "Upsample"}
_FOLLOWED = ("Relu", "Clip", "BatchNormalization", "Concat")


@dataclass(frozen=True)
class Placement:
    """What onnxruntime's quantiser is told: it quantises what nodes of `operators` read and give, but for the nodes
    `excluded`; tensors `real` stay so, and those of `more` are quantised as well.
    """

    operators: list[str]
    excluded: list[str]
    real: frozenset[str]
    more: list[str]


def placed(graph: onnx.GraphProto) -> Placement:
    """Return where quantisers go.

    A layer's sums stay real up to what follows them alone and costs nothing in integers: a bias, a gain, a norm, a
    Relu, a join. Constants of such lines stay real as well. Outputs are quantised, scores excepted.
    """
    constants = stored(graph).keys()
    operators = {*QDQRegistry, *QLinearOpsRegistry, *_FUNCTIONS, *_OF_SEVERAL, *_POOLS, *_MOVES} - _NEVER
    with_constant = [node for node in graph.node if constants & {*node.input}]
    lines = {node.name for node in with_constant if node.op_type in _LINES}
    apart = [node for node in with_constant if node.op_type in _CURVES]
    apart += [node for node in graph.node if node.op_type == "AveragePool"]  # onnxruntime keeps its input's range
    real = frozenset(_followed(graph, lines))
    more = [name for node in apart for name in (node.input[0], node.output[0])]
    scores = {name for node in graph.node if node.op_type in _NEVER for name in node.output}
    ends = [value.name for value in graph.output if value.name not in scores]
    return Placement(sorted(operators), [*sorted(lines), *(node.name for node in apart)], real - {*more}, more + ends)


def _followed(graph: onnx.GraphProto, lines: Set[str]) -> Iterator[str]:
    """Yield the tensors that one node alone reads, which takes them real."""
    outputs = {value.name for value in graph.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for name, (first, *others) in readers.items():
        if not others and name not in outputs and (first.op_type in _FOLLOWED or first.name in lines):
            yield name
