"""A graph beside the one it was made of: the same outputs, or the first layer that differs."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from microstage.errors import VerificationError

__all__ = ["assert_equivalent"]

_TOLERANCE = 1e-5  # of the largest output
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@torch.no_grad()
def assert_equivalent(before: fx.GraphModule, after: fx.GraphModule, example: Tensor) -> None:
    """Raise `VerificationError` with the first layer whose output moved by more than 1e-5 of its largest value."""
    expected, given = before(example.clone()), after(example.clone())
    moved = _moved(given, expected)
    if moved <= _TOLERANCE:
        return
    raise VerificationError(
        f"Rewriting the network changed what it computes, first in {_first_difference(before, after, example)}: its "
        f"output moved by {moved:.3g} of its largest value; at most {_TOLERANCE:g} is allowed."
    )


def _first_difference(before: fx.GraphModule, after: fx.GraphModule, example: Tensor) -> str:
    old, new = _outputs(before, example), _outputs(after, example)
    for name in (name for name in new if name in old):
        if _moved(new[name], old[name]) > _TOLERANCE:
            return f"layer {name}"
    return "what follows its last layer"


def _outputs(graph: fx.GraphModule, example: Tensor) -> dict[str, Tensor]:
    """Return the output of every layer by module path; that of a layer before a batch norm is the norm's."""
    outputs: dict[str, Tensor] = {}

    class Outputs(fx.Interpreter):
        def run_node(self, node: fx.Node) -> object:
            result = super().run_node(node)
            if node.op == "call_module":
                outputs[node.target] = result.clone()
                before = node.all_input_nodes[0]
                if isinstance(graph.get_submodule(node.target), _NORMS) and len(before.users) == 1:
                    outputs[str(before.target)] = result.clone()
            return result

    Outputs(graph).run(example.clone())
    return outputs


def _moved(given: Tensor, expected: Tensor) -> float:
    """Return by how much a tensor differs, as a part of the largest; infinite for another shape."""
    if given.shape != expected.shape:
        return float("inf")
    return float((given - expected).abs().max() / expected.abs().max().clamp_min(1e-30))
