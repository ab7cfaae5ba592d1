"""Tensors of a graph named by the place of the node that makes them, which no tool chose."""

from __future__ import annotations

import onnx

__all__ = ["by_place"]


def by_place(model: onnx.ModelProto, part: str) -> onnx.ModelProto:
    """Return a copy of `model` in which what is computed is called `<part>/<place>:<operator>`, counted from 0.

    Further outputs of a node have `.1`, `.2` behind it; inputs, constants and outputs of the graph keep their names.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    kept = {output.name for output in made.graph.output}
    names: dict[str, str] = {}
    for place, node in enumerate(made.graph.node):
        for number, output in enumerate(node.output):
            if output and output not in kept:
                names[output] = f"{part}/{place}:{node.op_type}" + (f".{number}" if number else "")
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return made
