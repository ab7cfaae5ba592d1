"""Keep the first axis that of the samples: 1 here, and any number when the network runs."""

from __future__ import annotations

import numpy as np

from microstage.errors import ModelError
from microstage_streamline.graph.graph import Node
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Refusal, Rewrite

_ALONG = ("Concat", "Split", "ArgMax", "TopK", "Flatten")  # those that mix samples where their axis is the first
_DEFAULTS = {"Flatten": 1, "TopK": -1}


class KeepFirstAxis(Rewrite):
    """Squeeze of the first axis among others keeps it, as the samples of a file of batch 1 are many here.

    Precondition: constant axes.
    """

    operators = ("Squeeze",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        axes = normal.graph.constants.get(node.inputs[1]) if len(node.inputs) > 1 else None
        return axes is not None and 0 in axes.reshape(-1) and not normal.is_constant(node.inputs[0])

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        axes = [int(axis) for axis in normal.graph.constants[node.inputs[1]].reshape(-1) if axis]
        if not axes:
            return [Node("Identity", node.inputs[:1], node.outputs, {}, node.layer)]
        stored = normal.constant(node.output, np.asarray(axes, np.int64))
        return [Node("Squeeze", [node.inputs[0], stored], node.outputs, {}, node.layer)]


class RefuseMixedSamples(Refusal):
    """What one sample answers cannot hang on others."""

    operators = (*_ALONG, "Transpose", "Unsqueeze")

    def check(self, normal: NormalGraph, node: Node) -> None:
        if not all(normal.is_constant(name) for name in node.inputs if name) and self._moves_samples(normal, node):
            raise ModelError("it moves or mixes samples, whose axis is the first; leave that axis where it is")

    @staticmethod
    def _moves_samples(normal: NormalGraph, node: Node) -> bool:
        if node.op == "Transpose":
            return node.flags.get("perm", [1])[0] != 0
        if node.op == "Unsqueeze":
            return len(node.inputs) > 1 and 0 in np.asarray(normal.graph.constants.get(node.inputs[1], 1)).reshape(-1)
        return node.flags.get("axis", _DEFAULTS.get(node.op, 0)) == 0
