"""Take branches that are decided when the file is read, as exporters write them about shapes."""

from __future__ import annotations

from microstage_streamline.graph.graph import MalformedModel, Node
from microstage_streamline.normalise.normal_graph import NormalGraph
from microstage_streamline.normalise.rewrite import Rewrite
from microstage_streamline.read.onnx_graph import nodes_of


class TakeBranch(Rewrite):
    """If(true, a, b) = a. Precondition: the condition is constant."""

    operators = ("If",)

    def matches(self, normal: NormalGraph, node: Node) -> bool:
        if not normal.is_constant(node.inputs[0]):
            raise MalformedModel(
                f"{node} hangs on what is computed from the inputs; unroll loops and branches before the export."
            )
        return True

    def rewrite(self, normal: NormalGraph, node: Node) -> list[Node]:
        branch = node.flags["then_branch" if normal.values[node.inputs[0]].any() else "else_branch"]
        nodes, constants = nodes_of(branch)
        normal.graph.constants.update(constants)
        normal.values.update(constants)
        ends = zip(branch.output, node.outputs)
        return [*nodes, *(Node("Identity", [end.name], [output], {}, node.layer) for end, output in ends)]
